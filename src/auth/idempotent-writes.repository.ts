// All SQL on the answers that are kept for retries.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Queryable, Transactional } from '../common/sql.js';
import { transaction } from '../common/transaction.js';

/** How long an answer is kept; what is older counts as gone, swept away or not. */
const KEPT_FOR = `interval '24 hours'`;

export interface KeptWrite {
  readonly fingerprint: Buffer;
  readonly answer: Buffer;
}

@Injectable()
export class IdempotentWritesRepository {
  constructor(private readonly db: DataSource) {}

  /**
   * Takes the write `id` (32 bytes) for this transaction: false when it is done already, or another transaction has
   * taken it. Nobody waits: the lock says that somebody is at it, the primary key that somebody was.
   */
  async claim(id: Buffer, fingerprint: Buffer, db: Queryable): Promise<boolean> {
    const rows = await db.query(
      `INSERT INTO idempotent_write AS w (id, fingerprint)
       SELECT $1::bytea, $2::bytea WHERE pg_try_advisory_xact_lock($3)
       ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, answer = NULL, created_at = now()
         WHERE w.created_at <= now() - ${KEPT_FOR}
       RETURNING true`,
      [id, fingerprint, id.readBigInt64BE().toString()],
    );
    return rows.length > 0;
  }

  /** Keeps the answer of a write that `db` has claimed. */
  async keep(id: Buffer, answer: Buffer, db: Queryable): Promise<void> {
    await db.query('UPDATE idempotent_write SET answer = $2 WHERE id = $1', [id, answer]);
  }

  /** What is kept of a write; null when there is none, or it is not committed. */
  async findById(id: Buffer, db: Queryable): Promise<KeptWrite | null> {
    const rows = await db.query<KeptWrite[]>(
      `SELECT fingerprint, answer FROM idempotent_write WHERE id = $1 AND created_at > now() - ${KEPT_FOR}`,
      [id],
    );
    return rows[0] ?? null;
  }

  /** Runs `work` in one transaction. */
  transaction<T>(work: (db: Transactional) => Promise<T>): Promise<T> {
    return transaction(this.db, work);
  }
}
