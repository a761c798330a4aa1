// What has been kept long enough goes, what has not stays, and nothing that counts on old rows is harmed.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';
import { sweepsOf } from '../src/retention/retention.repository.js';
import { sweep } from '../src/retention/retention.js';
import { PortalService } from './support/portal.js';
import { runEntry } from './support/process.js';
import { Session } from './support/session.js';
import { waitUntil } from './support/wait.js';

let portal: PortalService;
let contact: string;
beforeAll(async () => {
  portal = await PortalService.start();
  contact = (await portal.contact()).id;
  // The service itself sweeps at its start.
  await waitUntil(async () => (await column(SWEEPER)).length === 0);
});
afterAll(() => portal.stop());
beforeEach(() => portal.service.sql('DELETE FROM magic_link'));

/** Once the server holds the lock of none before. */
const sweepNow = async (settings: Record<string, string> = {}) => {
  await waitUntil(async () => (await column(SWEEPER)).length === 0);
  return sweep(loadEnv({ NODE_ENV: 'test', DATABASE_URL: portal.service.databaseUrl, ...settings }));
};
const cli = (...args: string[]) => runEntry('cli', args, { DATABASE_URL: portal.service.databaseUrl });

/** Links asked for so long ago. */
const insertLinks = (ago: string, count = 1) =>
  portal.service.sql(
    `INSERT INTO magic_link (id, address_hash, client_address, token_hash, code_hash, redirect, created_at, expires_at)
     SELECT id, '', '203.0.113.1', decode(md5(id), 'hex'), '', '', now() - $1::text::interval, now()
     FROM (SELECT 'ml_' || $1 || ' ' || n AS id FROM generate_series(1, $2::int) AS n) AS drawn`,
    [ago, count],
  );

/** A session that could live until so long ago, with two refresh tokens; it was ended early. */
const insertSession = (ago: string) =>
  portal.service.sql(
    `WITH session AS (
       INSERT INTO portal_session (id, contact_id, method, created_at, idle_until, expires_at, ended_at, end_reason)
       SELECT 'ses_' || $1, $2, 'google', moment - interval '30 days', moment - interval '23 days', moment,
         moment - interval '29 days', 'signed_out' FROM (SELECT now() - $1::text::interval AS moment) AS latest RETURNING id
     ) INSERT INTO refresh_token (token_hash, session_id)
       SELECT decode(md5(id || n), 'hex'), id FROM session, generate_series(1, 2) AS n`,
    [ago, contact],
  );

const insertWrite = (ago: string) =>
  portal.service.sql(
    `INSERT INTO idempotent_write (id, fingerprint, created_at) VALUES (decode(md5($1), 'hex'), '', now() - $1::text::interval)`,
    [ago],
  );

const insertEntry = (ago: string) =>
  portal.service.sql(
    `INSERT INTO auth_audit_log (event, actor_kind, request_id, at) VALUES ('sign_in', 'operator', $1, now() - $1::text::interval)`,
    [ago],
  );

/** The first column of what a statement answers. */
async function column(statement: string): Promise<unknown[]> {
  return (await portal.service.sql<object>(statement)).map((row) => Object.values(row)[0]);
}

const SWEEPER = `SELECT pid FROM pg_stat_activity WHERE application_name = 'contacts-sweep' AND datname = current_database()`;

const links = () => column('SELECT id FROM magic_link ORDER BY created_at DESC');

describe('a sweep', () => {
  test('removes what is due by the settings, and nothing that is a minute short of it', async () => {
    const kinds = [['1', insertWrite], ['7', insertLinks], ['30', insertSession], ['400', insertEntry]] as const;
    for (const [days, insert] of kinds) {
      await insert(`${days} days 1 minute`);
      await insert(`${days} days -1 minutes`);
    }
    const once = { idempotent_write: 1, magic_link: 1, portal_session: 1, auth_audit_log: 1 };
    expect(await sweepNow()).toEqual(once);
    expect(await column('SELECT now() - created_at < $$1 day$$ FROM idempotent_write')).toEqual([true]);
    expect(await links()).toEqual(['ml_7 days -1 minutes 1']);
    expect(await column(`SELECT id FROM portal_session`)).toEqual(['ses_30 days -1 minutes']);
    expect(await column('SELECT DISTINCT session_id FROM refresh_token')).toEqual(['ses_30 days -1 minutes']);
    expect(await column(`SELECT request_id FROM auth_audit_log WHERE at < now() - interval '1 day'`)).toEqual([
      '400 days -1 minutes',
    ]);
    const shorter = { MAGIC_LINK_RETENTION_DAYS: '2', SESSION_RETENTION_DAYS: '0', AUDIT_RETENTION_DAYS: '90' };
    expect(await sweepNow(shorter)).toEqual({ ...once, idempotent_write: 0 });
    expect(Object.values((await sweepNow(shorter)) ?? {})).toEqual([0, 0, 0, 0]);
  }); // prettier-ignore

  test.each([
    ['MAGIC_LINK_RETENTION_DAYS', '1'],
    ['AUDIT_RETENTION_DAYS', '89'],
    ['SESSION_RETENTION_DAYS', '-1'],
  ])('%s=%s would be too short', (name, value) => {
    expect(() => loadEnv({ [name]: value })).toThrow(`${name}: `);
  });

  test('leaves all refresh tokens of a living session, so that a stolen one is still noticed', async () => {
    const { browser } = await portal.signedIn();
    const stolen = browser.at();
    for (let day = 0; day < 6; day += 1) {
      expect((await browser.refresh()).status).toBe(200);
      await portal.service.sql(
        `UPDATE refresh_token SET created_at = created_at - interval '1 day', used_at = used_at - interval '1 day'`,
      );
    }
    await sweepNow({ SESSION_RETENTION_DAYS: '0' });
    expect(await browser.isSignedIn()).toBe(true);
    expect((await stolen.refresh()).status).toBe(401);
    expect(await browser.isSignedIn()).toBe(false);
  });

  test('leaves the links that count towards the cap of a day', async () => {
    const ask = () => portal.browser('198.18.9.9').post('/auth/magic-link', { email: 'somebody@acme.test' });
    for (let request = 1; request <= 15; request += 1) {
      expect({ request, status: (await ask()).status }).toEqual({ request, status: 202 });
      await portal.service.sql(`UPDATE magic_link SET created_at = created_at - interval '90 minutes'`);
    }
    expect(await sweepNow({ MAGIC_LINK_RETENTION_DAYS: '2' })).toMatchObject({ magic_link: 0 });
    expect((await ask()).status).toBe(429);
  });

  test('waits for no row that somebody holds, and takes it the next time', async () => {
    await insertLinks('8 days', 3);
    const other = await Session.open(portal.service.databaseUrl);
    await other.begin();
    await other.client.query(`SELECT FROM magic_link WHERE id = 'ml_8 days 2' FOR UPDATE`);
    expect(await sweepNow()).toMatchObject({ magic_link: 2 });
    await other.end('ROLLBACK');
    await other.client.end();
    expect(await sweepNow()).toMatchObject({ magic_link: 1 });
  });

  test('is one at a time, and of several at once each row is removed once', async () => {
    // Once more if by chance they came one after another.
    await waitUntil(async () => {
      await insertLinks('8 days', 4_500);
      const swept = await Promise.all([sweepNow(), sweepNow(), sweepNow()]);
      const removed = swept.map((rows) => rows?.magic_link ?? null);
      expect(removed.reduce((sum: number, rows) => sum + (rows ?? 0), 0)).toBe(4_500);
      expect(await links()).toEqual([]);
      return removed.includes(null);
    });
  });

  test('that loses the database is taken up by the next', async () => {
    await insertLinks('8 days', 60_000);
    const other = await Session.open(portal.service.databaseUrl);
    let isOver = false;
    const broken = sweepNow().catch((error: Error) => error).finally(() => (isOver = true)); // prettier-ignore
    await waitUntil(async () => (await links()).length < 60_000);
    await other.client.query('BEGIN; LOCK TABLE magic_link IN SHARE MODE');
    // It waits for a second, and then is broken as well.
    await waitUntil(
      async () => isOver || (await column(`${SWEEPER} AND wait_event_type = 'Lock'`)).length > 0,
    );
    await column(`SELECT pg_terminate_backend(pid) FROM (${SWEEPER}) AS sweeper`);
    expect(await broken).toBeInstanceOf(Error);
    await other.client.query('ROLLBACK');
    await other.client.end();
    const left = (await links()).length;
    expect(left).toBeGreaterThan(0);
    expect(await sweepNow()).toMatchObject({ magic_link: left });
  });
});

describe('the command', () => {
  test('sweeps now, and tells what it removed', async () => {
    await insertLinks('8 days', 2);
    const expected =
      'idempotent_write: 0 removed\nmagic_link: 2 removed\nportal_session: 0 removed\nauth_audit_log: 0 removed\n';
    expect(await cli('sweep')).toEqual({ code: 0, stdout: expected, stderr: '' });
    await insertLinks('8 days');
    const { stdout } = await cli('sweep', '--json');
    expect(JSON.parse(stdout)).toEqual({
      idempotent_write: 0,
      magic_link: 1,
      portal_session: 0,
      auth_audit_log: 0,
    });
  });

  test('says when another process is at it', async () => {
    const other = await Session.open(portal.service.databaseUrl);
    await other.client.query('SELECT pg_advisory_lock(7263451981)');
    expect(await cli('sweep')).toMatchObject({ code: 0, stdout: 'Another process is sweeping.\n' });
    await other.client.end();
  });
});

describe('the service', () => {
  test('sweeps from its start on, and tells how much', async () => {
    await insertLinks('8 days', 1_234);
    const process = await portal.secondProcess();
    await waitUntil(async () => /"rows":\{"magic_link":1234\}.*kept long enough/.test(process.output));
    expect(await links()).toEqual([]);
    await process.stop();
  });

  test('serves on while a table cannot be swept, and stops in time', async () => {
    await insertLinks('8 days');
    const other = await Session.open(portal.service.databaseUrl);
    await other.begin();
    await other.client.query('LOCK TABLE magic_link IN ACCESS EXCLUSIVE MODE');
    const process = await portal.secondProcess();
    await waitUntil(async () => process.output.includes('Nothing was swept, or not all'));
    expect((await fetch(`${process.url}/health/ready`)).status).toBe(200);
    await process.stop();
    await other.end('ROLLBACK');
    await other.client.end();
  });
});

test('a batch reads by index, and no more than it removes, however full the tables are', async () => {
  // Not by the service, which gives a statement ten seconds.
  const { client } = await Session.open(portal.service.databaseUrl);
  await client.query(
    `INSERT INTO magic_link (id, address_hash, client_address, token_hash, code_hash, redirect, created_at, expires_at)
     SELECT 'ml_' || n, '', '203.0.113.1', int8send(n), '', '', now() - n * interval '10 seconds', now() FROM generate_series(1, 100000) AS n;
     INSERT INTO portal_session (id, contact_id, method, idle_until, expires_at)
     SELECT 'ses_' || n, '${contact}', 'google', now(), now() - n * interval '1 minute' FROM generate_series(1, 100000) AS n;
     INSERT INTO refresh_token (token_hash, session_id) SELECT int8send(n), 'ses_' || 1 + n % 100000 FROM generate_series(1, 200000) AS n;
     INSERT INTO auth_audit_log (event, actor_kind, at)
     SELECT 'sign_in', 'visitor', now() - n * interval '10 minutes' FROM generate_series(1, 100000) AS n;
     INSERT INTO idempotent_write (id, fingerprint, created_at)
     SELECT int8send(n), '', now() - n * interval '1 minute' FROM generate_series(1, 100000) AS n`,
  );
  await client.query('ANALYZE idempotent_write, magic_link, portal_session, refresh_token, auth_audit_log');
  await client.end();
  for (const { table, statement, keep, batch } of sweepsOf(loadEnv({}))) {
    // A session of its own, whose counters begin at nothing.
    const session = await Session.open(portal.service.databaseUrl);
    await session.begin();
    const { rows } = await session.client.query<{ removed: number }>(statement, [keep, batch]);
    const visits = await session.client.query<{ relname: string; seq_scan: number; idx_tup_fetch: number }>(
      `SELECT relname, seq_scan::int, idx_tup_fetch::int FROM pg_stat_xact_user_tables
       WHERE relname = ANY ('{idempotent_write,magic_link,portal_session,refresh_token,auth_audit_log}')`,
    );
    await session.end('ROLLBACK');
    await session.client.end();
    expect({ table, removed: rows[0]?.removed }).toEqual({ table, removed: batch });
    for (const { relname, seq_scan, idx_tup_fetch } of visits.rows) {
      expect({ table, relname, seq_scan }).toEqual({ table, relname, seq_scan: 0 });
      expect({ table, relname, most: idx_tup_fetch <= 2 * batch }).toEqual({ table, relname, most: true });
    }
  }
});
