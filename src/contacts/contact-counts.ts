// Keeps the counts close behind the writes: readers add what is not folded yet, so that has to stay little.
import { setTimeout as sleep } from 'node:timers/promises';
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
import { ContactCountsRepository } from './contact-counts.repository.js';

/** Pause between folds, in ms. */
const FOLD_EVERY = 250;
/** For a fold that is under way when the process ends, in ms. */
const GRACE = 1_000;
/** Where counting what is not folded ends: there is trouble enough. */
const MANY = 100_000;

@Injectable()
export class ContactCounts implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ContactCounts.name);
  /** Counting millions of contacts anew may take a minute. */
  private readonly connection: UnhurriedConnection;
  private readonly counts: ContactCountsRepository;
  /** Every process tries; the database lets one at a time. Nothing is lost by a failure but time. */
  private readonly folding: Repeated;
  private foldedAt = performance.now();

  constructor(@Inject(ENV) env: Env) {
    this.connection = new UnhurriedConnection(env, 'contacts-counts');
    this.counts = new ContactCountsRepository(this.connection);
    this.folding = new Repeated(
      FOLD_EVERY,
      async () => {
        await this.counts.fold();
        this.foldedAt = performance.now();
      },
      (error) => this.warn(error),
    );
  }

  /** How long ago a fold succeeded, or another process was found at it, in seconds. */
  get sinceFold(): number {
    return (performance.now() - this.foldedAt) / 1000;
  }

  /** How many changes readers have to add, or MANY of more. @throws Error when the database does not answer. */
  unfolded(): Promise<number> {
    return this.counts.unfolded(MANY);
  }

  /** Before the first request, so that a restored dump is not taken at its word. */
  async onApplicationBootstrap(): Promise<void> {
    await this.counts.forgetForeign().catch((error: Error) => this.warn(error));
    this.folding.begin();
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the counts', async () => {
      const ended = this.folding.end();
      // Counting millions anew would take all the time there is to end in; the server does it without us.
      await Promise.race([ended, sleep(GRACE, undefined, { ref: false })]);
      await this.connection.leave();
      await ended;
    });
  }

  private warn({ message }: Error): void {
    this.logger.warn(`The counts fall behind the writes: ${message}`);
  }
}
