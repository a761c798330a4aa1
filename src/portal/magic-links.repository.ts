// All SQL on magic links.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Queryable } from '../common/sql.js';
import { transaction } from '../common/transaction.js';

/** How long a link is good, and how many wrong codes it survives (the table's check knows the number, too). */
const LIFETIME = `interval '15 minutes'`;
const CODE_TRIES = 5;
/** How many wrong codes an address survives in a day, over all its links; those go on being good. */
const DAILY_CODE_TRIES = 10;

const PENDING = 'used_at IS NULL AND voided_at IS NULL AND expires_at > now()';
/** Requests for unknown addresses are pending like all others, but nothing opens them. */
const OPEN = `${PENDING} AND contact_id IS NOT NULL`;

export interface NewMagicLink {
  id: string;
  email: string;
  addressHash: Buffer;
  clientAddress: string;
  tokenHash: Buffer;
  codeHash: Buffer;
  redirect: string;
  product: string | null;
}

export interface OpenedLink {
  contactId: string;
  redirect: string;
}

/** How often an address, or a client, has asked lately. */
export interface RecentRequests {
  /** Seconds since the address was last asked for; null if never. */
  since_last: number | null;
  address_hour: number;
  address_day: number;
  client_hour: number;
  client_day: number;
  /** Seconds until the oldest request of the address, or the client, leaves the hour, or the day; null without one. */
  address_hour_frees_in: number | null;
  address_day_frees_in: number | null;
  client_hour_frees_in: number | null;
  client_day_frees_in: number | null;
}

@Injectable()
export class MagicLinksRepository {
  constructor(private readonly db: DataSource) {}

  /** Runs `work` in a transaction in which no other request for the address, or of the client, can run. */
  exclusively<T>(
    addressHash: Buffer,
    clientAddress: string,
    work: (db: Queryable) => Promise<T>,
  ): Promise<T> {
    return transaction(this.db, async (db) => {
      // In one order, so that two requests cannot wait for each other.
      await db.query(
        `SELECT pg_advisory_xact_lock(key) FROM (
           SELECT unnest(ARRAY[hashtextextended(encode($1, 'hex'), 1), hashtextextended($2, 2)]) AS key ORDER BY 1
         ) AS locks`,
        [addressHash, clientAddress],
      );
      return work(db);
    });
  }

  async recent(db: Queryable, addressHash: Buffer, clientAddress: string): Promise<RecentRequests> {
    const [row] = await db.query<RecentRequests[]>(
      `SELECT
         extract(epoch FROM now() - max(created_at) FILTER (WHERE address_hash = $1))::float8 AS since_last,
         ${countedWithin('hour', 'address', 'address_hash = $1')},
         ${countedWithin('day', 'address', 'address_hash = $1')},
         ${countedWithin('hour', 'client', 'client_address = $2')},
         ${countedWithin('day', 'client', 'client_address = $2')}
       FROM magic_link
       WHERE (address_hash = $1 OR client_address = $2) AND created_at > now() - interval '1 day'`,
      [addressHash, clientAddress],
    );
    return row as RecentRequests;
  }

  /** Voids the address's open links and adds one; for an unknown address it is one that nothing opens. */
  async replace(db: Queryable, link: NewMagicLink): Promise<void> {
    await db.query(
      'UPDATE magic_link SET voided_at = now() WHERE address_hash = $1 AND used_at IS NULL AND voided_at IS NULL',
      [link.addressHash],
    );
    await db.query(
      `INSERT INTO magic_link
         (id, address_hash, client_address, contact_id, token_hash, code_hash, redirect, product, expires_at)
       VALUES ($1, $2, $3, (SELECT id FROM contact WHERE email = $4 AND portal_access = 1), $5, $6, $7, $8,
         now() + ${LIFETIME})`,
      [
        link.id,
        link.addressHash,
        link.clientAddress,
        link.email,
        link.tokenHash,
        link.codeHash,
        link.redirect,
        link.product,
      ],
    );
  }

  /** The stored address to which an open link is to be mailed, or null. */
  async findMailable(id: string): Promise<{ email: string; product: string | null } | null> {
    const rows = await this.db.query<{ email: string; product: string | null }[]>(
      `SELECT c.email, l.product FROM magic_link l JOIN contact c ON c.id = l.contact_id
       WHERE l.id = $1 AND l.used_at IS NULL AND l.voided_at IS NULL AND l.expires_at > now()`,
      [id],
    );
    return rows[0] ?? null;
  }

  /** The product an open link names, for its page; undefined when the link is not open. */
  async peek(tokenHash: Buffer): Promise<{ product: string | null } | undefined> {
    const rows = await this.db.query<{ product: string | null }[]>(
      `SELECT product FROM magic_link WHERE token_hash = $1 AND ${OPEN}`,
      [tokenHash],
    );
    return rows[0];
  }

  /** Uses up the link with this token, and locks its contact; null when it is not open. Of parallel calls one wins. */
  async useByToken(db: Queryable, tokenHash: Buffer): Promise<OpenedLink | null> {
    await lockContact(db, 'token_hash = $1', tokenHash);
    const rows = await db.query<OpenedLink[]>(
      `WITH used AS (
         UPDATE magic_link SET used_at = now() WHERE token_hash = $1 AND ${OPEN} RETURNING contact_id, redirect
       ) SELECT contact_id AS "contactId", redirect FROM used`,
      [tokenHash],
    );
    return rows[0] ?? null;
  }

  /**
   * Counts a try and, if the code is right, uses up the link, with its contact locked; null for anything but success.
   * Tries are counted for unknown addresses, too: the work is the same. After ten wrong ones in a day no code of the
   * address is right.
   */
  async useByCode(db: Queryable, id: string, codeHash: Buffer): Promise<OpenedLink | null> {
    await lockContact(db, 'id = $1', id);
    const rows = await db.query<(OpenedLink & { right: boolean })[]>(
      `WITH tried AS (
         UPDATE magic_link
         SET attempts = attempts + 1,
             used_at = CASE WHEN code_hash = $2 AND contact_id IS NOT NULL THEN now() END
         WHERE id = $1 AND attempts < ${CODE_TRIES} AND ${PENDING} AND ${DAILY_CODE_TRIES} > (
           SELECT sum(GREATEST(attempts - (used_at IS NOT NULL)::int, 0)) FROM magic_link of_address
           WHERE of_address.address_hash = magic_link.address_hash
             AND of_address.created_at > now() - interval '1 day')
         RETURNING contact_id, redirect, used_at
       ) SELECT contact_id AS "contactId", redirect, used_at IS NOT NULL AS right FROM tried`,
      [id, codeHash],
    );
    const [tried] = rows;
    return tried?.right ? { contactId: tried.contactId, redirect: tried.redirect } : null;
  }
}

/** How many requests there were in the window before now, and in how many seconds the oldest of them leaves it. */
function countedWithin(window: 'hour' | 'day', whose: string, isIts: string): string {
  const counted = `FILTER (WHERE ${isIts} AND created_at > now() - interval '1 ${window}')`;
  return `(count(*) ${counted})::int AS ${whose}_${window},
         extract(epoch FROM min(created_at) ${counted} + interval '1 ${window}' - now())::float8 AS ${whose}_${window}_frees_in`;
}

/** Before the link, as whoever changes the contact does it: in another order, the two would wait for each other. */
async function lockContact(db: Queryable, ofLink: string, value: string | Buffer): Promise<void> {
  await db.query(
    `SELECT FROM contact WHERE id = (SELECT contact_id FROM magic_link WHERE ${ofLink}) FOR SHARE`,
    [value],
  );
}
