// The queue of work that leaves after commit and is tried again until it succeeds: pg-boss in our own database.
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { type Job, type JobResult, PgBoss } from 'pg-boss';
import { closing } from '../common/closing.js';
import type { Queryable } from '../common/sql.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { QUEUES, type QueueName } from './install-queues.js';

/** Connection string for the queue; a direct session. */
export const JOBS_URL = Symbol('JOBS_URL');

/** Twenty jobs side by side, in batches, of which one that has to wait holds up no other. */
const WORK = {
  pollingIntervalSeconds: 0.5,
  localConcurrency: 4,
  batchSize: 5,
  burstWhenBatchFull: true,
  perJobResults: true,
} as const;

type Handler = (data: Record<string, string>) => Promise<void>;

/** What a queue holds, of all processes. */
export interface Backlog {
  readonly queue: QueueName;
  /** Jobs not done yet, those between two tries included. */
  readonly waiting: number;
  readonly active: number;
  /** Jobs given up and not yet swept away. */
  readonly failed: number;
  /** Age of the oldest that is not done, in seconds. */
  readonly oldest: number;
}

@Injectable()
export class Jobs implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Jobs.name);
  private readonly boss: PgBoss;
  private readonly handlers = new Map<QueueName, Handler>();

  constructor(@Inject(JOBS_URL) connectionString: string, @Inject(ENV) env: Env) {
    const connection = {
      connectionString,
      application_name: 'contacts-jobs',
      max: 3,
      connectionTimeoutMillis: env.DATABASE_TIMEOUT_MS,
      // pg's own. On a silent connection no mail would leave until TCP gives up, after a quarter of an hour.
      query_timeout: env.DATABASE_TIMEOUT_MS,
    };
    // The schema belongs to the migrations.
    this.boss = new PgBoss({ ...connection, schedule: false, migrate: false });
    this.boss.on('error', (error) => this.logger.warn(`The queue has no database: ${error.message}`));
  }

  /** Names the handler of a queue; call it from a constructor, before the application starts. */
  handle(queue: QueueName, handler: Handler): void {
    this.handlers.set(queue, handler);
  }

  /** Adds a job in the caller's transaction: it exists if and only if that commits. */
  async send(queue: QueueName, data: Record<string, string>, db: Queryable): Promise<void> {
    const executeSql = async (sql: string, values?: unknown[]) => ({
      rows: await db.query<object[]>(sql, values),
    });
    await this.boss.send(queue, data, { db: { executeSql } });
  }

  /** What every queue holds. @throws Error when the database does not answer. */
  async backlog(): Promise<Backlog[]> {
    // The states by name, as the index has them.
    const { rows } = await this.boss.getDb().executeSql(
      `SELECT queue, count(*) FILTER (WHERE state IN ('created', 'retry'))::float8 AS waiting,
         count(*) FILTER (WHERE state = 'active')::float8 AS active,
         count(*) FILTER (WHERE state = 'failed')::float8 AS failed,
         COALESCE(extract(epoch FROM now() - min(created_on) FILTER (WHERE state <> 'failed')), 0)::float8 AS oldest
       FROM unnest($1::text[]) AS queue
       LEFT JOIN pgboss.job ON name = queue AND state IN ('created', 'retry', 'active', 'failed')
       GROUP BY queue`,
      [QUEUES],
    );
    return rows as Backlog[];
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.boss.start();
    for (const [queue, handler] of this.handlers) {
      await this.boss.work(queue, WORK, (jobs: Job<Record<string, string>>[]) =>
        Promise.all(jobs.map((job) => this.run(queue, handler, job))),
      );
    }
  }

  /** Of an error only the code is kept: an SMTP server's words quote addresses. */
  private async run(
    queue: string,
    handler: Handler,
    { id, data }: Job<Record<string, string>>,
  ): Promise<JobResult> {
    try {
      await handler(data);
      // Now, and not with the last of its batch: what ends the process until then would have it done again.
      await this.boss.complete(queue, id);
      return { id, status: 'completed' };
    } catch (error) {
      const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number };
      this.logger.warn({ queue, job: id, code, responseCode }, 'A job failed; it is tried again.');
      return { id, status: 'failed', output: { code, responseCode } };
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the mail queue', () => this.boss.stop({ graceful: true, timeout: 5_000 }));
  }
}
