// All SQL on signing keys, but for the public halves that the guard reads.
import { Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { DataSource } from 'typeorm';
import { VERIFYING } from '../auth/verification-keys.js';
import type { Queryable } from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import type { SigningKey } from './signing-key.entity.js';

type NewKey = Pick<SigningKey, 'kid' | 'public_jwk' | 'sealed_private_jwk'>;

@Injectable()
export class SigningKeysRepository {
  constructor(private readonly db: DataSource) {}

  /** Every key, newest first. */
  list(): Promise<SigningKey[]> {
    return this.db.query<SigningKey[]>('SELECT * FROM signing_key ORDER BY created_at DESC, kid');
  }

  /** The public halves of those that verify, the newest key first. */
  async listVerifying(): Promise<JWK[]> {
    const rows = await this.db.query<Pick<SigningKey, 'public_jwk'>[]>(
      `SELECT public_jwk FROM signing_key WHERE ${VERIFYING} ORDER BY created_at DESC, kid`,
    );
    return rows.map(({ public_jwk }) => public_jwk);
  }

  async findActive(): Promise<SigningKey | null> {
    const rows = await this.db.query<SigningKey[]>(`SELECT * FROM signing_key WHERE status = 'active'`);
    return rows[0] ?? null;
  }

  /** Adds the first two keys unless there are some: whichever process comes first wins. */
  async insertFirst(active: NewKey, next: NewKey): Promise<void> {
    await transaction(this.db, async (db) => {
      await db.query(`LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE`);
      const known = await db.query('SELECT 1 FROM signing_key LIMIT 1');
      if (known.length > 0) return;
      await db.query(INSERT, values(active, 'active'));
      await db.query(INSERT, values(next, 'next'));
    });
  }

  /** The waiting key becomes the signing one, and `next` waits; `also` is done with it, or nothing is. */
  async rotate(next: NewKey, also: (kid: string, db: Queryable) => Promise<void>): Promise<string> {
    return transaction(this.db, async (db) => {
      await db.query(`LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE`);
      // Earlier releases did not write down when.
      await db.query(
        `UPDATE signing_key SET status = 'retired', retired_at = now()
         WHERE status = 'active' OR (status = 'retired' AND retired_at IS NULL)`,
      );
      const [active] = await db.query<{ kid: string }[]>(
        `UPDATE signing_key SET status = 'active' WHERE status = 'next' RETURNING kid`,
      );
      if (!active) throw new Error('There is no signing key that waits.');
      await db.query(INSERT, values(next, 'next'));
      await also(active.kid, db);
      return active.kid;
    });
  }
}

const INSERT = `INSERT INTO signing_key (kid, status, public_jwk, sealed_private_jwk) VALUES ($1, $2, $3, $4)`;

function values(key: NewKey, status: SigningKey['status']): unknown[] {
  return [key.kid, status, key.public_jwk, key.sealed_private_jwk];
}
