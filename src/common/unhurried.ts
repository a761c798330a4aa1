// A connection for the service's own upkeep, without the limits that are meant for requests.
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig, Pool, type QueryConfig } from 'pg';
import { type Env, directUrlOf } from '../config/env.js';
import type { Queryable } from './sql.js';

/** Whether the server is at something in that session; what it does not show is believed. */
const IS_BUSY = `SELECT FROM pg_stat_activity WHERE pid = $1 AND state IS DISTINCT FROM 'idle'`;
/** An answer may be on its way when the server is seen to be done. */
const MISSES_TO_BE_LOST = 2;

/** Opened when first used and again after it was lost; one statement at a time. */
export class UnhurriedConnection implements Queryable {
  private readonly patience: number;
  private readonly config: ClientConfig;
  private readonly pool: Pool;
  /** Fails what is waited for. */
  private giveUp?: (reason: Error) => void;

  /** @param longest that a statement may take, in ms; 0 for as long as it takes. */
  constructor(
    env: Pick<Env, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'DATABASE_TIMEOUT_MS'>,
    name: string,
    private readonly longest = 0,
  ) {
    this.patience = env.DATABASE_TIMEOUT_MS;
    this.config = {
      connectionString: directUrlOf(env),
      application_name: name,
      connectionTimeoutMillis: this.patience,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      options: `-c statement_timeout=${longest}`,
    };
    this.pool = new Pool({ ...this.config, max: 1, idleTimeoutMillis: 0 });
    // What was running hears of a loss by itself; unheard, the event would end the process.
    this.pool.on('error', () => undefined);
    this.pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** @throws Error when the database is not there, or is done with the statement and its answer does not come. */
  async query<Rows = unknown[]>(sql: string, values?: unknown[]): Promise<Rows> {
    const client = await this.pool.connect();
    let failure: Error | undefined;
    try {
      const greeting = { text: 'SELECT pg_backend_pid() AS pid', query_timeout: this.patience };
      const { rows } = await client.query<{ pid: number }>(greeting);
      const answer = this.longest
        ? await client.query(this.limited(sql, values))
        : await this.unlessLost(client.query(sql, values), rows[0]?.pid);
      return answer.rows as Rows;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      client.release(failure);
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
  }

  /** Waits for nothing: the server finishes a statement, a single one without values, though nobody hears of it. */
  async leave(): Promise<void> {
    this.giveUp?.(new Error('The process ends'));
    await this.end();
  }

  /** The server ends it by itself; its answer is waited for a little longer. */
  private limited(text: string, values?: unknown[]): QueryConfig {
    const query = { text, values, query_timeout: this.longest + this.patience };
    return query;
  }

  /**
   * TCP finds out after a quarter of an hour that nobody is there, and where something in between answers for the server,
   * never.
   */
  private async unlessLost<T>(answer: Promise<T>, pid: number | undefined): Promise<T> {
    const over = new AbortController();
    const given = Promise.withResolvers<never>();
    this.giveUp = given.reject;
    const loss = async (): Promise<never> => {
      for (let misses = 0; misses < MISSES_TO_BE_LOST;) {
        await sleep(this.patience, undefined, { signal: over.signal });
        misses = (await this.isBusy(pid)) ? 0 : misses + 1;
      }
      throw new Error('The answer of the database was lost');
    };
    try {
      return await Promise.race([answer, loss(), given.promise]);
    } finally {
      over.abort();
      this.giveUp = undefined;
    }
  }

  /** As another session sees it; true also when that cannot be found out. */
  private async isBusy(pid: number | undefined): Promise<boolean> {
    const observer = new Client({ ...this.config, query_timeout: this.patience });
    observer.on('error', () => undefined);
    try {
      await observer.connect();
      return (await observer.query(IS_BUSY, [pid])).rowCount !== 0;
    } catch {
      return true;
    } finally {
      void observer.end().catch(() => undefined);
    }
  }
}
