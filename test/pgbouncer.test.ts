// The service behind PgBouncer in transaction mode, set up as deploy/pgbouncer.ini says; skipped where there is none.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { SCOPES } from '../src/auth/caller.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { EveryRoute } from './support/every-route.js';
import { createContact } from './support/factories.js';
import { findProgram } from './support/find-program.js';
import { PgBouncer } from './support/pgbouncer.js';
import { runEntry } from './support/process.js';
import { PATIENT, TestService } from './support/service.js';
import { RunningService } from './support/running-service.js';
import { waitUntil } from './support/wait.js';

const program = findProgram('pgbouncer');

/** Fewer than the service asks for: they are lent in turns. */
const CONNECTIONS = 3;

/** What PgBouncer itself sets for whoever gets a connection next. */
const TRACKED = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'TimeZone',
  'standard_conforming_strings',
];

// Where PgBouncer is not installed nothing can stand behind it.
(program === undefined ? describe.skip : describe)('behind PgBouncer', () => {
  let database: TestDatabase;
  /** Past PgBouncer. */
  let direct: pg.Client;
  let pooler: PgBouncer;
  let routes: EveryRoute;
  let service: TestService;
  /** A second process. */
  let other: RunningService;
  let settings: { DATABASE_URL: string; DATABASE_DIRECT_URL: string };

  beforeAll(async () => {
    database = await createTestDatabase();
    direct = new pg.Client({ connectionString: database.url });
    await direct.connect();
    pooler = await PgBouncer.start(program ?? '', database.url, {
      default_pool_size: String(CONNECTIONS),
      min_pool_size: '0',
    });
    settings = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: database.url };
    routes = await EveryRoute.prepare();
    service = await TestService.start({ ...routes.settings, ...settings, ...PATIENT });
    other = await RunningService.start({ ...routes.settings, ...settings });
  });
  afterAll(async () => {
    await other.stop();
    await service.stop();
    await routes.stop();
    await pooler.stop();
    await direct.end();
    await database.drop();
  });

  async function issue(scopes: readonly string[]): Promise<{ id: string; key: string }> {
    const { body } = await service.api.post('/api/keys', { name: 'backend', scopes });
    return body.data as { id: string; key: string };
  }

  test('every route does what it is for', async () => {
    const { key } = await issue(SCOPES);
    await routes.visit(service.url, key);
    await routes.visit(other.url, key);
  });

  test('bursts share a few connections, and each request gets its own answer', async () => {
    const emails = Array.from({ length: 100 }, (_, index) => `burst${index}@acme.test`);
    const ids = await Promise.all(emails.map((email) => createContact(service.api, { email })));
    const found = await Promise.all(ids.map((id) => service.api.get(`/api/contacts/${id}`)));
    expect(found.map(({ body }) => body.data.email)).toEqual(emails);
    const listed = await Promise.all(emails.map((email) => service.api.get(`/api/contacts?email=${email}`)));
    expect(listed.map(({ body }) => body.data.items[0].id)).toEqual(ids);
    const { rowCount } = await direct.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'contacts'`,
    );
    expect(rowCount).toBeLessThanOrEqual(CONNECTIONS);
  });

  test('a key revoked in one process is refused in another within a second', async () => {
    const { id, key } = await issue(['contacts:read']);
    const status = async (): Promise<number> =>
      (await fetch(`${other.url}/api/contacts`, { headers: { 'x-sm-key': key } })).status;
    expect(await status()).toBe(200);
    await service.api.delete(`/api/keys/${id}`);
    const ended = performance.now();
    for (;;) {
      const sent = performance.now();
      if ((await status()) === 401) break;
      expect(sent - ended).toBeLessThan(1_000);
    }
  });

  test('nothing is left in a session for whoever gets it next', async () => {
    const pooled = new pg.Client({ connectionString: pooler.url });
    await pooled.connect();
    const { rows } = await pooled.query(
      `SELECT (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
         (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
         (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
         ARRAY(SELECT name FROM pg_settings WHERE source = 'session' AND name <> ALL ($1)) AS settings`,
      [TRACKED],
    );
    await pooled.end();
    expect(rows).toEqual([{ prepared: 0, channels: 0, locks: 0, settings: [] }]);
  });

  test('migrations go past it', async () => {
    for (const command of ['down', 'up', 'status'])
      expect(await runEntry('migrate', [command], settings)).toMatchObject({ code: 0 });
  });

  test('a PgBouncer that was killed and comes back is used again', async () => {
    const path = `/api/contacts/${await createContact(service.api)}`;
    await pooler.kill();
    expect((await service.api.get(path)).status).toBe(503);
    await pooler.start();
    await waitUntil(async () => (await service.api.get(path)).status === 200);
  });

  test('a connection to PostgreSQL that is cut is made anew', async () => {
    const path = `/api/contacts/${await createContact(service.api)}`;
    await direct.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'contacts'`,
    );
    await waitUntil(async () => (await service.api.get(path)).status === 200);
  });
});
