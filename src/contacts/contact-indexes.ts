// Sorts new entries into the GIN indexes: otherwise writers would have to, and each search reads what is not sorted in.
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { closing } from '../common/closing.js';
import { Repeated } from '../common/repeated.js';
import { UnhurriedConnection } from '../common/unhurried.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { ContactIndexesRepository } from './contact-indexes.repository.js';

/** Pause between two times of a process, in ms. */
const PAUSE = 1_000;
/** In ms; what has to wait for longer is done the next time. */
const LONGEST = 5_000;

@Injectable()
export class ContactIndexes implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ContactIndexes.name);
  private readonly connection: UnhurriedConnection;
  private readonly cleaning: Repeated;

  constructor(@Inject(ENV) env: Env) {
    this.connection = new UnhurriedConnection(env, 'contacts-indexes', LONGEST);
    const indexes = new ContactIndexesRepository(this.connection);
    this.cleaning = new Repeated(
      PAUSE,
      () => indexes.cleanPendingLists(),
      ({ message }) => this.logger.warn(`The search indexes fall behind the writes: ${message}`),
    );
  }

  onApplicationBootstrap(): void {
    this.cleaning.begin();
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the indexes', async () => {
      await this.cleaning.end();
      await this.connection.end();
    });
  }
}
