// What metrics tell of the database and of what waits to be done, and that a silent database does not silence them.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { poolWaits, statements } from '../../src/common/signals.js';
import { createContact } from '../support/factories.js';
import { PortalService } from '../support/portal.js';
import { Metrics } from '../support/scrape.js';
import type { TestService } from '../support/service.js';
import { Session } from '../support/session.js';
import { SilentProxy } from '../support/silent-proxy.js';
import { waitUntil } from '../support/wait.js';

let portal: PortalService;
let service: TestService;
beforeAll(async () => {
  portal = await PortalService.start({ METRICS_PORT: '0', DATABASE_TIMEOUT_MS: '2000' });
  ({ service } = portal);
});
afterAll(async () => {
  await portal.stop();
  // Whoever has stopped listens no longer.
  expect([statements.hasSubscribers, poolWaits.hasSubscribers]).toEqual([false, false]);
});

const value = async (name: string, labels?: Record<string, string>): Promise<number | undefined> =>
  (await Metrics.of(service)).value(name, labels);

/** Of what only the database knows, as soon as it has told it: a busy machine may be too slow for one look. */
async function told(name: string, labels?: Record<string, string>): Promise<number> {
  let found: number | undefined;
  await waitUntil(async () => (found = await value(name, labels)) !== undefined);
  return found ?? NaN;
}

test('failed statements are counted by the class of their SQLSTATE', async () => {
  const { api } = service;
  const count = async (sqlstate: string): Promise<number> =>
    (await value('contacts_database_errors_total', { class: sqlstate })) ?? 0;
  const [broken, cancelled] = [await count('23'), await count('57')];
  await createContact(api, { email: 'same@acme.test' });
  expect((await api.post('/api/contacts', { email: 'same@acme.test' })).status).toBe(409);
  expect(await count('23')).toBe(broken + 1);
  const session = await Session.open(service.databaseUrl);
  await session.client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
  expect((await api.post('/api/contacts', { email: 'late@acme.test' })).status).toBe(503);
  await session.client.end();
  expect(await count('57')).toBe(cancelled + 1);
  expect(await value('contacts_database_statement_duration_seconds_count')).toBeGreaterThan(3);
});

test('mail that has not left is seen, with its age, and mail that was given up', async () => {
  const queue = 'magic-link-mail';
  const jobs = async (state: string) => told('contacts_queue_jobs', { queue, state });
  expect([await jobs('waiting'), await jobs('active'), await jobs('failed')]).toEqual([0, 0, 0]);
  expect(await told('contacts_queue_oldest_seconds', { queue })).toBe(0);
  const { email } = await portal.contact();
  portal.mail.hold();
  await portal.ask(email);
  await waitUntil(async () => (await jobs('active')) === 1);
  await service.sql(`UPDATE pgboss.job SET created_on = created_on - interval '1 hour'`);
  expect(await told('contacts_queue_oldest_seconds', { queue })).toBeGreaterThan(3600);
  portal.mail.release();
  await portal.mail.mailTo(email);
  await waitUntil(async () => (await jobs('active')) === 0);
  expect(await told('contacts_queue_oldest_seconds', { queue })).toBe(0);
  await service.sql(`INSERT INTO pgboss.job (name, state) VALUES ($1, 'failed'), ($1, 'retry')`, [queue]);
  expect(await jobs('failed')).toBe(1);
});

test('changes that wait to be counted are seen, and since when nobody counts', async () => {
  const session = await Session.open(service.databaseUrl);
  // As another process does that folds for a long time.
  await session.client.query(`SELECT pg_advisory_lock(hashtext('contact_fold'))`);
  const before = await told('contacts_changes_unfolded');
  for (let number = 0; number < 3; number += 1) await createContact(service.api);
  await waitUntil(async () => (await value('contacts_changes_unfolded')) === before + 3);
  await session.client.end();
  await waitUntil(async () => (await value('contacts_changes_unfolded')) === 0);
  expect(await value('contacts_fold_age_seconds')).toBeLessThan(30);
  const blocker = await Session.open(service.databaseUrl);
  await blocker.client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
  await waitUntil(async () => ((await value('contacts_fold_age_seconds')) ?? 0) > 1);
  await blocker.client.end();
  await waitUntil(async () => ((await value('contacts_fold_age_seconds')) ?? 9) < 1);
});

test('what runs, and what it may use', async () => {
  const metrics = await Metrics.of(service);
  expect(metrics.value('contacts_build_info', { version: '0.1.0', node: process.version })).toBe(1);
  expect(metrics.value('contacts_heap_limit_bytes')).toBeGreaterThan(1e8);
  const own = [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'nodejs_eventloop_lag_p99_seconds',
  ];
  for (const name of own) expect(metrics.value(name)).toBeGreaterThan(0);
  expect(metrics.names).toContain('nodejs_gc_duration_seconds_bucket');
});

test('a silent database hides what only it knows, and nothing else', async () => {
  const proxy = await SilentProxy.to(service.databaseUrl);
  const url = proxy.through(service.databaseUrl);
  const settings = { DATABASE_URL: url, METRICS_PORT: '0', DATABASE_TIMEOUT_MS: '2000' };
  const other = await portal.secondProcess(settings);
  try {
    const place = (): string => /Metrics are at (http:[^"]+)/.exec(other.output)?.[1] ?? '';
    await waitUntil(async () => place() !== '');
    const read = async (): Promise<string> => (await fetch(place())).text();
    await waitUntil(async () => (await read()).includes('contacts_queue_oldest_seconds{'));
    proxy.fallSilent();
    const silent = await read();
    expect(silent).not.toContain('contacts_queue_oldest_seconds{');
    expect(silent).not.toMatch(/^contacts_changes_unfolded/m);
    expect(silent).toContain('contacts_http_requests_in_flight 0');
  } finally {
    proxy.close();
    await other.stop();
  }
});
