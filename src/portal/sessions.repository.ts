// All SQL on sessions and their refresh tokens.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Queryable } from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import type { PortalSession, SignInMethod } from './portal-session.entity.js';

/** A session is idle after 7 days and over after 30. */
const IDLE = `interval '7 days'`;
const ABSOLUTE = `interval '30 days'`;
/** A token used again within this time is a retry or a second tab; later it is stolen. */
const GRACE = `interval '30 seconds'`;

const ALIVE = 's.ended_at IS NULL AND s.idle_until > now() AND s.expires_at > now()';

export interface NewSession {
  id: string;
  contactId: string;
  method: SignInMethod;
  clientAddress: string;
  userAgent: string | null;
}

/** Of a refresh token: it was used before, and too long ago for a retry. */
const IS_SPENT = `coalesce(t.used_at <= now() - ${GRACE}, false) AS is_spent`;

/** What became of a refresh: `spent` means that the token is stolen, or its successor is. */
export type RefreshOutcome =
  { outcome: 'refreshed'; session: PortalSession } | { outcome: 'spent' } | { outcome: 'refused' };

/** The session that a refresh token belongs to. */
export interface TokenSession extends PortalSession {
  readonly is_spent: boolean;
}

interface UsedToken {
  session_id: string;
  alive: boolean;
  is_spent: boolean;
}

@Injectable()
export class SessionsRepository {
  constructor(private readonly db: DataSource) {}

  /** Runs `work` in one transaction, maybe several times: what it does besides asking `db` has to bear that. */
  transaction<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    return transaction(this.db, work);
  }

  async insert(db: Queryable, session: NewSession, refreshHash: Buffer): Promise<void> {
    const { id, contactId, method, clientAddress, userAgent } = session;
    await db.query(
      `WITH opened AS (
         INSERT INTO portal_session (id, contact_id, method, client_address, user_agent, idle_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + ${IDLE}, now() + ${ABSOLUTE}) RETURNING id
       ) INSERT INTO refresh_token (token_hash, session_id) SELECT $6, id FROM opened`,
      [id, contactId, method, clientAddress, userAgent, refreshHash],
    );
  }

  /**
   * Spends a refresh token for its successor, in a transaction. The same token within the grace time gets the same
   * successor.
   */
  async refresh(db: Queryable, tokenHash: Buffer, successorHash: Buffer): Promise<RefreshOutcome> {
    // The row lock puts parallel refreshes in a line, so that one of them spends and the others repeat.
    const [token] = await db.query<UsedToken[]>(
      `SELECT t.session_id, ${ALIVE} AS alive, ${IS_SPENT}
         FROM refresh_token t JOIN portal_session s ON s.id = t.session_id
         WHERE t.token_hash = $1 FOR UPDATE OF t, s`,
      [tokenHash],
    );
    if (!token?.alive) return { outcome: 'refused' };
    if (token.is_spent) return { outcome: 'spent' };
    await db.query('UPDATE refresh_token SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL', [
      tokenHash,
    ]);
    await db.query(
      'INSERT INTO refresh_token (token_hash, session_id) VALUES ($1, $2) ON CONFLICT (token_hash) DO NOTHING',
      [successorHash, token.session_id],
    );
    const [session] = await db.query<PortalSession[]>(
      `WITH touched AS (
           UPDATE portal_session SET last_used_at = now(), idle_until = now() + ${IDLE} WHERE id = $1 RETURNING *
         ) SELECT * FROM touched`,
      [token.session_id],
    );
    return session ? { outcome: 'refreshed', session } : { outcome: 'refused' };
  }

  /** The living sessions of a contact, the most recently used first. */
  listAlive(contactId: string): Promise<PortalSession[]> {
    return this.db.query<PortalSession[]>(
      `SELECT * FROM portal_session s WHERE s.contact_id = $1 AND ${ALIVE} ORDER BY s.last_used_at DESC, s.id`,
      [contactId],
    );
  }

  /** The living session of this refresh token, or null. */
  async findByRefreshToken(tokenHash: Buffer): Promise<TokenSession | null> {
    const rows = await this.db.query<TokenSession[]>(
      `SELECT s.*, ${IS_SPENT} FROM refresh_token t JOIN portal_session s ON s.id = t.session_id
       WHERE t.token_hash = $1 AND ${ALIVE}`,
      [tokenHash],
    );
    return rows[0] ?? null;
  }

  /** Ends living sessions of a contact: one, all but one, or all. Answers their ids. */
  async end(
    db: Queryable,
    contactId: string,
    which: { only?: string; except?: string },
    reason: string,
  ): Promise<string[]> {
    const rows = await db.query<{ id: string }[]>(
      `WITH ended AS (
         UPDATE portal_session s SET ended_at = now(), end_reason = $4
         WHERE s.contact_id = $1 AND ${ALIVE}
           AND ($2::text IS NULL OR s.id = $2) AND ($3::text IS NULL OR s.id <> $3)
         RETURNING s.id
       ) SELECT id FROM ended`,
      [contactId, which.only ?? null, which.except ?? null, reason],
    );
    return rows.map(({ id }) => id);
  }
}
