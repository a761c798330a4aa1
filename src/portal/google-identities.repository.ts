// All SQL on linked identities.
import { Injectable } from '@nestjs/common';
import type { Queryable } from '../common/sql.js';

/** An account at the provider; `email` is canonical, or null when there is none to be linked by. */
export interface Account {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
}

/** The contact an account belongs to, and whether that contact may sign in. */
export interface LinkedContact {
  contact_id: string;
  eligible: boolean;
}

@Injectable()
export class GoogleIdentitiesRepository {
  /**
   * The contact linked to the account; else links the contact with portal access and this e-mail; else null. The contact
   * is locked, so that a change of its address either waits and drops the link, or is seen here.
   */
  async findOrLink(db: Queryable, account: Account): Promise<LinkedContact | null> {
    const { issuer, subject, email } = account;
    await db.query(
      `SELECT FROM contact
         WHERE id = (SELECT contact_id FROM portal_identity WHERE issuer = $1 AND subject = $2) FOR SHARE`,
      [issuer, subject],
    );
    const linked = await findLinked(db, account);
    if (linked || email === null) return linked;
    const [contact] = await db.query<{ id: string }[]>(
      'SELECT id FROM contact WHERE email = $1 AND portal_access = 1 FOR SHARE',
      [email],
    );
    if (!contact) return null;
    await db.query(
      `INSERT INTO portal_identity (issuer, subject, contact_id) VALUES ($1, $2, $3)
         ON CONFLICT (issuer, subject) DO NOTHING`,
      [issuer, subject, contact.id],
    );
    // A parallel sign-in of the account may have linked it first: what is stored counts.
    return findLinked(db, account);
  }
}

async function findLinked(db: Queryable, { issuer, subject }: Account): Promise<LinkedContact | null> {
  const rows = await db.query<LinkedContact[]>(
    `SELECT i.contact_id, c.portal_access = 1 AS eligible
     FROM portal_identity i JOIN contact c ON c.id = i.contact_id
     WHERE i.issuer = $1 AND i.subject = $2`,
    [issuer, subject],
  );
  return rows[0] ?? null;
}
