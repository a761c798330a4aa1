// All SQL on API keys.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Params, type Queryable, type Transactional, insertValues } from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import type { ApiKey } from './api-key.entity.js';

export type NewApiKey = Pick<
  ApiKey,
  'id' | 'name' | 'secret_hash' | 'scopes' | 'allowed_cidrs' | 'expires_at' | 'rate_limit'
>;

@Injectable()
export class ApiKeysRepository {
  constructor(private readonly db: DataSource) {}

  /** Every key, newest first, revoked ones included. */
  list(): Promise<ApiKey[]> {
    return this.db.query<ApiKey[]>('SELECT * FROM api_key ORDER BY created_at DESC, id');
  }

  async findById(id: string, db: Queryable = this.db): Promise<ApiKey | null> {
    const rows = await db.query<ApiKey[]>('SELECT * FROM api_key WHERE id = $1', [id]);
    return rows[0] ?? null;
  }

  /** Inserts a key; null when the id is taken already. */
  async insert(key: NewApiKey, db: Queryable): Promise<ApiKey | null> {
    const params = new Params();
    const rows = await db.query<ApiKey[]>(
      `INSERT INTO api_key ${insertValues(key, params)} ON CONFLICT (id) DO NOTHING RETURNING *`,
      params.values,
    );
    return rows[0] ?? null;
  }

  /** Gives a live key a new secret; the old one stays good for `overlapSeconds`. Null when there is no such key. */
  rotate(id: string, secretHash: Buffer, overlapSeconds: number, db: Queryable): Promise<ApiKey | null> {
    return change(
      db,
      `UPDATE api_key SET
         previous_secret_hash = CASE WHEN $3 > 0 THEN secret_hash END,
         previous_expires_at = CASE WHEN $3 > 0 THEN now() + make_interval(secs => $3) END,
         secret_hash = $2
       WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
       RETURNING *`,
      [id, secretHash, overlapSeconds],
    );
  }

  /** Sets how many requests a minute a live key may make; null when there is no such key. */
  limit(id: string, rateLimit: number | null, db: Queryable): Promise<ApiKey | null> {
    return change(
      db,
      `UPDATE api_key SET rate_limit = $2
       WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) RETURNING *`,
      [id, rateLimit],
    );
  }

  /** Ends a key for good; null when there is none that lives. */
  revoke(id: string, db: Queryable): Promise<ApiKey | null> {
    return change(
      db,
      'UPDATE api_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING *',
      [id],
    );
  }

  /** Notes that keys were used, each at most once a minute whichever process saw it. */
  async touch(ids: readonly string[]): Promise<void> {
    await this.db.query(
      `UPDATE api_key SET last_used_at = now()
       WHERE id = ANY($1::text[]) AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
      [ids],
    );
  }

  /** Runs `work` in one transaction, or in a savepoint of the one that is open on `db`. */
  transaction<T>(work: (db: Queryable) => Promise<T>, db?: Transactional): Promise<T> {
    return transaction(this.db, work, db);
  }
}

async function change(db: Queryable, update: string, values: unknown[]): Promise<ApiKey | null> {
  const rows = await db.query<ApiKey[]>(`WITH changed AS (${update}) SELECT * FROM changed`, values);
  return rows[0] ?? null;
}
