// Metrics as an operator reads them: what each counts, that it is bounded, and that nothing stops it from being read.
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ApiKeyChanges } from '../../src/auth/api-key-changes.js';
import { MetricsServer } from '../../src/metrics/metrics-server.js';
import { createContact } from '../support/factories.js';
import { PortalService } from '../support/portal.js';
import { Metrics } from '../support/scrape.js';
import { runEntry } from '../support/process.js';
import { type Client, PATIENT, type TestService } from '../support/service.js';
import { Session } from '../support/session.js';
import { waitUntil } from '../support/wait.js';

const DURATIONS = 'contacts_http_request_duration_seconds_count';

let portal: PortalService;
let service: TestService;
let api: Client;
beforeAll(async () => {
  // A key that a busy machine looks up again would find no connection.
  jest.spyOn(ApiKeyChanges.prototype, 'isCurrent', 'get').mockReturnValue(true);
  portal = await PortalService.start({
    METRICS_PORT: '0',
    DATABASE_POOL_SIZE: '2',
    DATABASE_TIMEOUT_MS: '30000',
    DATABASE_POOL_QUEUE: '1',
    ...PATIENT,
    HTTP_MAX_REQUESTS: '5',
  });
  ({ service } = portal);
  ({ api } = service);
});
afterAll(() => portal.stop());

const scrape = (): Promise<Metrics> => Metrics.of(service);

/** Keeps contacts locked until `work` is done. */
async function whileLocked(work: () => Promise<void>): Promise<void> {
  const session = await Session.open(service.databaseUrl);
  try {
    await session.client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
    await work();
  } finally {
    await session.client.end();
  }
}

describe('where', () => {
  test('the public port has no metrics, and the port of the metrics has nothing else', async () => {
    expect((await fetch(`${service.url}/metrics`)).status).toBe(404);
    const { url = '' } = service.app.get(MetricsServer);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    expect((await fetch(url)).headers.get('content-type')).toContain('text/plain; version=0.0.4');
    for (const path of ['/', '/health/live', '/api/contacts', '/metrics/'])
      expect((await fetch(new URL(path, url))).status).toBe(404);
  });

  test('a start on a taken port fails, and names it', async () => {
    const { port: METRICS_PORT } = new URL(service.app.get(MetricsServer).url ?? '');
    const settings = { DATABASE_URL: service.databaseUrl, PORT: '0', METRICS_PORT };
    const { code, stderr } = await runEntry('main', [], settings);
    expect(code).toBe(1);
    expect(stderr).toContain(`METRICS_PORT ${METRICS_PORT} cannot be listened on`);
  });
});

describe('requests', () => {
  test('are counted by method, pattern and status, and what has no route shares a label', async () => {
    const id = await createContact(api);
    const before = await scrape();
    for (const path of [`/api/contacts/${id}`, '/api/contacts/ct_0', `/api/contacts/${id}?x=1`])
      await api.get(path);
    for (let number = 0; number < 20; number += 1) await fetch(`${service.url}/nope/${number}?${number}`);
    await fetch(`${service.url}/api/contacts/%ff`);
    await new Promise((resolve, reject) => {
      const options = { method: 'PROPFIND', headers: { 'content-length': 0 } };
      request(`${service.url}/api/contacts`, options, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end();
    });
    const after = await scrape();
    const more = (labels: Record<string, string>): number =>
      (after.value(DURATIONS, labels) ?? 0) - (before.value(DURATIONS, labels) ?? 0);
    const route = '/api/contacts/:id';
    expect(['200', '404', '400'].map((status) => more({ method: 'GET', route, status }))).toEqual([1, 1, 1]);
    expect(more({ route: 'unknown', method: 'GET', status: '404' })).toBe(20);
    expect(more({ route: 'unknown', method: 'GET', status: '400' })).toBe(1);
    expect(after.all(DURATIONS, { method: 'other' })).toHaveLength(1);
    const routes = new Set(after.all(DURATIONS).map(({ labels }) => labels.route));
    expect([...routes].filter((known) => /nope|\d/.test(known ?? ''))).toEqual([]);
  });

  test('in flight, in the lanes and waiting for the pool are seen while they wait, and what is too much', async () => {
    const given = { name: 'metrics', scopes: ['contacts:read', 'contacts:write'] };
    const key = (await api.post('/api/keys', given)).body.data.key as string;
    const headers = { 'x-sm-key': key, 'content-type': 'application/json' };
    const read = (signal?: AbortSignal) => fetch(`${service.url}/api/contacts/ct_0`, { headers, signal });
    const write = (name: string) => {
      const body = JSON.stringify({ email: `${name}@in-flight.test` });
      return fetch(`${service.url}/api/contacts`, { method: 'POST', headers, body });
    };
    // Its first use is noted on a connection of the pool, once it was answered.
    await read();
    const unused = 'SELECT FROM api_key WHERE last_used_at IS NULL';
    await waitUntil(async () => (await service.sql(unused)).length === 0);
    await whileLocked(async () => {
      const abort = new AbortController();
      const gone = read(abort.signal);
      void Promise.allSettled(['a', 'b', 'c'].map(write));
      await waitUntil(async () => {
        const now = await scrape();
        const lanes = now.all('contacts_database_lane_waiting').map(({ value }) => value);
        return (
          now.value('contacts_http_requests_in_flight') === 4 &&
          now.value('contacts_database_pool_waiting') === 1 &&
          now.value('contacts_database_pool_connections', { state: 'used' }) === 2 &&
          lanes.length === 2 &&
          lanes.some((waiting) => waiting > 0)
        );
      });
      expect((await write('d')).status).toBe(503);
      void read().catch(() => undefined);
      await waitUntil(async () => (await scrape()).value('contacts_http_requests_in_flight') === 5);
      expect((await read()).status).toBe(503);
      abort.abort();
      await expect(gone).rejects.toThrow('aborted');
      await waitUntil(async () => (await scrape()).value(DURATIONS, { status: '499' }) === 1);
    });
    await waitUntil(async () => (await scrape()).value('contacts_http_requests_in_flight') === 0);
    const after = await scrape();
    const shed = (reason: string) => after.value('contacts_requests_shed_total', { reason });
    expect([shed('pool_queue'), shed('requests')]).toEqual([1, 1]);
    expect(after.value('contacts_database_errors_total', { class: 'connection' })).toBeUndefined();
    expect(after.value('contacts_database_pool_waiting')).toBe(0);
    expect(after.value('contacts_database_pool_size', { server: 'primary' })).toBe(2);
    expect(after.value('contacts_database_pool_wait_seconds_count')).toBeGreaterThan(2);
    expect(after.value('contacts_database_pool_wait_seconds_sum')).toBeGreaterThan(0.01);
  });

  test('refused by a limit are counted by the limit', async () => {
    const email = 'often@acme.test';
    const browser = portal.browser('198.51.100.7');
    for (const status of [202, 429])
      expect((await browser.post('/auth/magic-link', { email })).status).toBe(status);
    const given = { name: 'limited', scopes: ['contacts:read'], rate_limit: 1 };
    const limited = service.as({ 'x-sm-key': (await api.post('/api/keys', given)).body.data.key });
    for (const status of [404, 429]) expect((await limited.get('/api/contacts/ct_0')).status).toBe(status);
    const now = await scrape();
    const refusals = (limit: string) => now.value('contacts_rate_limit_refusals_total', { limit });
    expect([refusals('sign_in_mail'), refusals('key')]).toEqual([1, 1]);
  });
});

describe('access', () => {
  test('sign-ins are counted by the way they were tried and how they ended', async () => {
    const { email } = await portal.contact();
    const browser = portal.browser();
    const { token } = await portal.link(email);
    for (const status of [200, 401])
      expect((await browser.post('/auth/magic-link/verify', { token })).status).toBe(status);
    await browser.get('/auth/sso/google/callback?code=x&state=y');
    const now = await scrape();
    const of = (method: string, outcome: string) => now.value('contacts_sign_ins_total', { method, outcome });
    expect(of('magic_link', 'signed_in')).toBe(1);
    expect(of('magic_link', 'bad_proof')).toBe(1);
    expect(of('google', 'stale')).toBe(1);
    expect(of('google', 'signed_in')).toBe(0);
    // What an alert asks for is there before it happens.
    for (const outcome of ['unreachable', 'bad_answer']) expect(of('google', outcome)).toBe(0);
  });

  test('refused credentials are counted by kind', async () => {
    const before = await scrape();
    const refused: Record<string, string>[] = [
      { 'x-sm-key': 'smk_x' },
      { authorization: 'Bearer smk_x' },
      { authorization: 'Bearer x' },
      {},
    ];
    for (const credentials of refused) await service.as(credentials).get('/api/contacts');
    await service.as({ cookie: 'sm_client=x' }).get('/auth/session');
    const after = await scrape();
    const more = (credential: string): number =>
      (after.value('contacts_authentication_failures_total', { credential }) ?? 0) -
      (before.value('contacts_authentication_failures_total', { credential }) ?? 0);
    expect(['key', 'token', 'none'].map(more)).toEqual([2, 2, 1]);
  });
});
