// The queue of work that leaves after commit and is tried again until it succeeds: pg-boss in our own database.
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Job, PgBoss } from 'pg-boss';
import type { Queryable } from '../common/sql.js';

/** Connection string for the queue; a direct session. */
export const JOBS_URL = Symbol('JOBS_URL');

/** Tried five times over about half a minute to four minutes, then kept as failed. */
const RETRIES = { retryLimit: 5, retryDelay: 2, retryBackoff: true, expireInSeconds: 60 };
const POLL_SECONDS = 0.5;

type Handler = (data: Record<string, string>) => Promise<void>;

@Injectable()
export class Jobs implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Jobs.name);
  private readonly boss: PgBoss;
  private readonly handlers = new Map<string, Handler>();

  constructor(@Inject(JOBS_URL) connectionString: string) {
    this.boss = new PgBoss({ connectionString, application_name: 'contacts-jobs', max: 3, schedule: false });
    this.boss.on('error', (error) => this.logger.warn(`The queue has no database: ${error.message}`));
  }

  /** Names the handler of a queue; call it from a constructor, before the application starts. */
  handle(queue: string, handler: Handler): void {
    this.handlers.set(queue, handler);
  }

  /** Adds a job in the caller's transaction: it exists if and only if that commits. */
  async send(queue: string, data: Record<string, string>, db: Queryable): Promise<void> {
    const executeSql = async (sql: string, values?: unknown[]) => ({ rows: await db.query<object[]>(sql, values) });
    await this.boss.send(queue, data, { db: { executeSql } });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.boss.start();
    for (const [queue, handler] of this.handlers) {
      await this.boss.createQueue(queue, RETRIES);
      await this.boss.work(queue, { pollingIntervalSeconds: POLL_SECONDS }, async (jobs: Job<Record<string, string>>[]) => {
        for (const job of jobs) await handler(job.data);
      });
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.boss.stop({ graceful: true, timeout: 5_000 });
  }
}
