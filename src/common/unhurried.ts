// A connection for the service's own upkeep, without the limits that are meant for requests.
import { Pool } from 'pg';
import { type Env, directUrlOf } from '../config/env.js';
import type { Queryable } from './sql.js';

/** Opened when first used and again after it was lost; one statement at a time, each as long as it takes. */
export class UnhurriedConnection implements Queryable {
  private readonly pool: Pool;

  constructor(
    private readonly env: Pick<Env, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'DATABASE_TIMEOUT_MS'>,
    name: string,
  ) {
    this.pool = new Pool({
      connectionString: directUrlOf(env),
      application_name: name,
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: env.DATABASE_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      options: '-c statement_timeout=0',
    });
    // What was running hears of a loss by itself; unheard, the event would end the process.
    this.pool.on('error', () => undefined);
  }

  async query<Rows = unknown[]>(sql: string, values?: unknown[]): Promise<Rows> {
    // For what may take any time it has to be known before that anybody is there: TCP would find out after a quarter of
    // an hour.
    const greeting = { text: 'SELECT 1', query_timeout: this.env.DATABASE_TIMEOUT_MS };
    await this.pool.query(greeting);
    return (await this.pool.query(sql, values)).rows as Rows;
  }

  async end(): Promise<void> {
    await this.pool.end();
  }
}
