// Keeps the counts close behind the writes: readers add what is not folded yet, so that has to stay little.
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { closing } from '../common/closing.js';
import { UnhurriedConnection } from '../common/unhurried.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { ContactCountsRepository } from './contact-counts.repository.js';

/** Pause between folds, in ms. */
const FOLD_EVERY = 250;
/** Where counting what is not folded ends: there is trouble enough. */
const MANY = 100_000;

@Injectable()
export class ContactCounts implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ContactCounts.name);
  /** Counting millions of contacts anew may take a minute. */
  private readonly connection: UnhurriedConnection;
  private readonly counts: ContactCountsRepository;
  private timer?: NodeJS.Timeout;
  private folding?: Promise<void>;
  private isFailing = false;
  private foldedAt = performance.now();
  private isStopped = false;

  constructor(@Inject(ENV) env: Env) {
    this.connection = new UnhurriedConnection(env, 'contacts-counts');
    this.counts = new ContactCountsRepository(this.connection);
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
    await this.logged(() => this.counts.forgetForeign());
    this.later();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await closing('the counts', async () => {
      await this.folding;
      await this.connection.end();
    });
  }

  /** Every process tries; the database lets one at a time. */
  private later(): void {
    if (this.isStopped) return;
    this.timer = setTimeout(() => {
      this.folding = this.logged(() => this.counts.fold()).then(() => this.later());
    }, FOLD_EVERY);
    this.timer.unref();
  }

  /** Nothing is lost by a failure but time; it is told once. */
  private async logged(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.foldedAt = performance.now();
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.logger.warn(`The counts fall behind the writes: ${(error as Error).message}`);
      this.isFailing = true;
    }
  }
}
