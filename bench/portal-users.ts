// Signed-in portal users, who ask the service for what is their company's by who they are.
import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import type pg from 'pg';

export interface PortalUser {
  companyId: string;
  /** JWT, good for half a day. */
  token: string;
}

const USERS = 200;
const ISSUER = 'bench';
const SECRET = randomBytes(32).toString('hex');

/** What the service needs to believe the tokens, and never to refuse one for being used too often. */
export const PORTAL_SETTINGS = { JWT_SECRET: SECRET, JWT_ISSUER: ISSUER, RATE_LIMIT_USER: '10000000' };

/** Some who have portal access, of companies of a usual size, with a session each. */
export async function signInPortalUsers(client: pg.Client): Promise<PortalUser[]> {
  const { rows } = await client.query<{ session: string; contact: string; company: string }>(
    `WITH candidate AS MATERIALIZED (
       SELECT id, company_id FROM contact WHERE portal_access = 1 AND company_id IS NOT NULL
       ORDER BY hashtextextended(id, 5) LIMIT 2 * $1::integer
     ), chosen AS (
       SELECT * FROM candidate
       WHERE (SELECT count(*) FROM contact c WHERE c.company_id = candidate.company_id) BETWEEN 10 AND 200 LIMIT $1
     ), signed_in AS (
       INSERT INTO portal_session (id, contact_id, method, idle_until, expires_at)
       SELECT 'ses_bench' || id, id, 'magic_link', now() + interval '1 day', now() + interval '1 day' FROM chosen
       ON CONFLICT (id) DO UPDATE SET idle_until = excluded.idle_until, expires_at = excluded.expires_at
       RETURNING id, contact_id
     ) SELECT signed_in.id AS session, contact_id AS contact, company_id AS company
       FROM signed_in JOIN chosen ON chosen.id = contact_id`,
    [USERS],
  );
  return Promise.all(
    rows.map(async ({ session, contact, company }) => ({
      companyId: company,
      token: await new SignJWT({ sid: session })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience('portal')
        .setSubject(contact)
        .setIssuedAt()
        .setExpirationTime('12h')
        .sign(new TextEncoder().encode(SECRET)),
    })),
  );
}
