// All SQL on the buckets of requests, on a connection of its own: whoever waits for the pool is not to be waited for.
import { Inject, Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { ENV } from '../config/config.module.js';
import { type Env, isPooled } from '../config/env.js';

/** Requests may wait for these statements, which take a moment or do not work at all. In ms. */
const PATIENCE = 1_000;
/** Buckets that one statement forgets at most. */
const SWEPT_AT_ONCE = 10_000;

@Injectable()
export class RateLimitsRepository {
  private readonly pool: Pool;

  constructor(@Inject(ENV) env: Env) {
    this.pool = new Pool({
      connectionString: env.DATABASE_URL,
      application_name: 'contacts-limits',
      max: 1,
      connectionTimeoutMillis: PATIENCE,
      query_timeout: PATIENCE,
      // What is given up here must not wait on there, and be done after all. (A pooler refuses this at start-up.)
      ...(!isPooled(env) && { statement_timeout: PATIENCE }),
      keepAlive: true,
    });
    // What was running hears of a loss by itself; unheard, the event would end the process.
    this.pool.on('error', () => undefined);
  }

  /**
   * Takes from each bucket what refills in `taken` ms, and answers how long each now takes to be full, in ms. By the
   * database's clock alone: those of the processes may differ. Beyond an empty bucket no more than a window is owed:
   * what had no answer in time is told again, though it may have been done.
   */
  async take(buckets: readonly string[], taken: readonly number[]): Promise<Map<string, number>> {
    // In one order, so that two processes cannot wait for each other.
    const { rows } = await this.pool.query<{ bucket: string; owed: number }>(
      `INSERT INTO rate_limit AS r (bucket, full_at)
       SELECT bucket, now() + taken * interval '1 millisecond'
       FROM unnest($1::text[], $2::float8[]) AS t (bucket, taken) ORDER BY bucket
       ON CONFLICT (bucket) DO UPDATE
         SET full_at = least(greatest(r.full_at, now()) + (excluded.full_at - now()), now() + interval '2 minutes')
       RETURNING bucket, extract(epoch FROM full_at - now())::float8 * 1000 AS owed`,
      [buckets, taken],
    );
    return new Map(rows.map(({ bucket, owed }) => [bucket, owed]));
  }

  /** Forgets full buckets: one that nobody knows is full. In turns, for each has to be done in time. */
  async sweep(): Promise<void> {
    let swept: number | null;
    do {
      ({ rowCount: swept } = await this.pool.query(
        `DELETE FROM rate_limit WHERE bucket IN (
           SELECT bucket FROM rate_limit WHERE full_at < now() LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED
         )`,
      ));
    } while (swept === SWEPT_AT_ONCE);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
