// Backup and restore as docs/operations.md tells it: from a service in use to a new database on another server.
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SCOPES } from '../src/auth/caller.js';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../src/local/embedded-database.js';
import { Browser } from './support/browser.js';
import { EveryRoute } from './support/every-route.js';
import { createCompany, createContact } from './support/factories.js';
import { OwnedDatabase } from './support/owned-database.js';
import { PortalService } from './support/portal.js';
import { findDumpTools, runInShell } from './support/postgres-tools.js';
import { runEntry } from './support/process.js';
import { RunningService } from './support/running-service.js';
import { waitUntil } from './support/wait.js';

const DOCUMENT = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
/** The documented command line of a program. */
const documented = (program: string): string =>
  new RegExp(`^ *(${program} .*)$`, 'm').exec(DOCUMENT)?.[1] ?? program;

const tools = await findDumpTools(process.env.TEST_SERVER_URL ?? '');
if (!tools)
  process.stderr.write('Skipped: backup and restore need a pg_dump that is not older than the server.\n');

// An older pg_dump refuses a newer server.
(tools ? describe : describe.skip)('a restored service', () => {
  let folder: string;
  let portal: PortalService;
  let everyRoute: EveryRoute;
  let server: EmbeddedDatabase;
  let restored: OwnedDatabase;
  let service: RunningService;

  let company: string;
  let key: string;
  let revoked: string;
  let browser: Browser;
  let openLink: string;
  /** Contacts whose creation was answered before the dump began. */
  const acknowledged: string[] = [];
  let audit: { id: number }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'contacts-backup-'));
    await chmod(folder, 0o755); // as root, the server's own user must get in
    portal = await PortalService.start();
    everyRoute = await EveryRoute.prepare();
    await use();
    await dumpWhileWriting();
    await portal.stop();
    server = await startEmbeddedDatabase({ directory: join(folder, 'postgres'), settings: { fsync: 'off' } });
    restored = await OwnedDatabase.create(server.url);
    await shell(documented('pg_restore'));
    service = await RunningService.start({
      ...portal.settings,
      ...everyRoute.settings,
      DATABASE_URL: restored.ownerUrl,
    });
  });
  afterAll(async () => {
    await service?.stop();
    await everyRoute?.stop();
    await server?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  async function use(): Promise<void> {
    const { api } = portal.service;
    company = await createCompany(api, { name: 'Globex', notes: 'naïve café' });
    for (let n = 0; n < 40; n += 1)
      acknowledged.push(
        await createContact(api, {
          company_id: company,
          full_name: `Jürgen ${n}`,
          tags: n % 2 ? 'vip' : null,
          contact_type: n % 3 ? 'client' : 'lead',
        }),
      );
    await api.patch(`/api/contacts/${acknowledged[0]}`, {
      full_name: 'Łucja Żak',
      enrichment_data: { a: [1, 'ß'] },
    });
    const made = async () => (await api.post('/api/keys', { name: 'kept', scopes: [...SCOPES] })).body.data;
    ({ key } = await made());
    const gone = await made();
    revoked = gone.key;
    await api.delete(`/api/keys/${gone.id}`);
    ({ browser } = await portal.signedIn({ company_id: company }));
    openLink = (await portal.link((await portal.contact({ company_id: company })).email)).token;
    audit = (await api.get('/api/audit?limit=100')).body.data.items;
  }

  /** The dump has what was answered before it began, however much is written meanwhile. */
  async function dumpWhileWriting(): Promise<void> {
    const dumped = new AbortController();
    const writing = (async () => {
      while (!dumped.signal.aborted) await createContact(portal.service.api, { company_id: company });
    })();
    await shell(documented('pg_dump'));
    dumped.abort();
    await writing;
  }

  const shell = (line: string): Promise<void> =>
    runInShell(line, {
      cwd: folder,
      env: {
        PATH: `${tools}:${process.env.PATH}`,
        DATABASE_URL: portal.service.databaseUrl,
        NEW_DATABASE_URL: restored?.ownerUrl,
      },
    });

  /** What the restored service answers a key. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows the shape of what it asked for
  async function get(path: string, by = key): Promise<{ status: number; data: any }> {
    const answer = await new Browser(service.url, '198.18.7.7').get(path, {
      headers: { 'x-sm-key': by, origin: '' },
    });
    return { status: answer.status, data: answer.body.data };
  }

  test('has every contact that was answered before the dump, and counts them right from its first answer on', async () => {
    const [rows] = await restored.asOwner('SELECT count(*)::int AS n FROM contact');
    expect(rows).toEqual([{ n: (await get('/api/contacts')).data.total }]);
    for (const id of acknowledged) expect((await get(`/api/contacts/${id}`)).status).toBe(200);
    expect((await get('/api/contacts?type=client')).data.total).toBeGreaterThanOrEqual(26);
    expect((await get('/api/contacts?tag=vip')).data.total).toBe(20);
    expect((await get('/api/contacts?search=jurgen')).data.total).toBe(39);
    expect((await get('/api/contacts?search=łucja')).data.items).toMatchObject([
      { id: acknowledged[0], company_name: 'Globex' },
    ]);
    expect((await get(`/api/contacts/${acknowledged[0]}`)).data).toMatchObject({
      enrichment_data: { a: [1, 'ß'] },
    });
    expect((await get(`/api/companies/${company}`)).data).toMatchObject({ notes: 'naïve café' });
  });

  test('counts anew by itself, and verifies', async () => {
    const asOwner = { ...portal.settings, DATABASE_URL: restored.ownerUrl };
    await waitUntil(async () => {
      const [folds] = await restored.asOwner(
        'SELECT cluster = (pg_control_system()).system_identifier AS own FROM contact_fold',
      );
      return folds?.length !== 0 && folds?.every((row) => (row as { own: boolean }).own) === true;
    });
    const verified = await runEntry('cli', ['verify'], asOwner);
    expect(verified).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Nothing differs. The counts and/),
    });
    expect(await runEntry('migrate', ['status'], asOwner)).toMatchObject({ code: 0 });
  });

  test('knows its keys, sessions, links and signing keys', async () => {
    expect((await get('/api/keys', revoked)).status).toBe(401);
    expect((await get('/api/keys')).data.items.length).toBeGreaterThanOrEqual(3);
    const back = browser.at(service.url);
    expect(await back.isSignedIn()).toBe(true);
    expect((await back.refresh()).status).toBe(200);
    expect((await back.get('/api/contacts')).body.data.total).toBeGreaterThanOrEqual(acknowledged.length);
    expect(
      (await new Browser(service.url, '198.18.7.8').post('/auth/magic-link/verify', { token: openLink }))
        .status,
    ).toBe(200);
  });

  test('goes on with its audit log', async () => {
    const { items } = (await get('/api/audit?limit=100')).data as { items: { id: number }[] };
    expect(items).toEqual(expect.arrayContaining(audit));
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
    await expect(restored.asOwner('DELETE FROM auth_audit_log')).rejects.toThrow('append-only');
  });

  test('serves every route, also as a role that owns nothing', async () => {
    await everyRoute.visit(service.url, key);
    const granted = await runEntry('migrate', ['grant', restored.serviceRole], {
      DATABASE_URL: restored.ownerUrl,
    });
    expect(granted).toMatchObject({ code: 0 });
    await service.stop();
    service = await RunningService.start({
      ...portal.settings,
      ...everyRoute.settings,
      DATABASE_URL: restored.serviceUrl,
    });
    await everyRoute.visit(service.url, key);
  });
});
