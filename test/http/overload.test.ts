// More requests at once than the process can serve: some wait for their turn, the rest is refused, and nobody else notices.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact } from '../support/factories.js';
import { open, sendRaw } from '../support/raw-request.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

const HOST = 'Host: contacts.test\r\n';
const CLOSE = 'Connection: close\r\n';
const WAITING_FOR_A_LOCK = `SELECT FROM pg_locks WHERE NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

describe('a process that is kept from its work', () => {
  let service: TestService;
  let direct: pg.Client;
  let busy: NodeJS.Timeout | undefined;
  beforeAll(async () => {
    service = await TestService.start({
      DATABASE_POOL_SIZE: '40',
      DATABASE_POOL_WAIT_MS: '60000',
      DATABASE_TIMEOUT_MS: '60000',
      HTTP_MAX_REQUESTS: '64',
    });
    direct = new pg.Client({ connectionString: service.databaseUrl });
    await direct.connect();
  });
  afterAll(async () => {
    clearInterval(busy);
    await direct.end();
    await service.stop();
  });

  const searches = (count = 30) =>
    Array.from({ length: count }, (_, index) => service.api.get(`/api/contacts?search=smith${index}`));
  const running = async (): Promise<number | null> => (await direct.query(WAITING_FOR_A_LOCK)).rowCount;
  /** Until few are let run at once. */
  async function keepBusy(): Promise<void> {
    let turns = 0;
    busy = setInterval(() => {
      turns += 1;
      for (const end = performance.now() + 50; performance.now() < end;);
    }, 20);
    await waitUntil(async () => turns >= 30);
  }

  test('runs fewer requests at once, and refuses none for it', async () => {
    // Opens the connections.
    await Promise.all(searches());
    await keepBusy();
    await direct.query('BEGIN; LOCK TABLE contact_search');
    const settled = Promise.all(searches());
    await waitUntil(async () => (await running()) === 4);
    expect((await sendRaw(service.url, `GET /health/live HTTP/1.1\r\n${HOST}${CLOSE}\r\n`)).status).toBe(200);
    expect(await running()).toBe(4);
    clearInterval(busy);
    await waitUntil(async () => (await running()) === 30);
    await direct.query('COMMIT');
    expect(new Set((await settled).map(({ status }) => status))).toEqual(new Set([200]));
  });

  test('counts those that wait, until their clients have gone', async () => {
    const key = (await service.api.post('/api/keys', { name: 'gone', scopes: ['contacts:read'] })).body.data
      .key;
    const controller = new AbortController();
    const options = { headers: { 'x-sm-key': key }, signal: controller.signal };
    await keepBusy();
    await direct.query('BEGIN; LOCK TABLE contact_search');
    const leaving = Array.from({ length: 60 }, (_, index) =>
      fetch(`${service.url}/api/contacts?search=jones${index}`, options).catch(() => undefined),
    );
    await waitUntil(async () => (await running()) === 4);
    const statuses: number[] = [];
    const note = (requests: Promise<{ status: number }>[]) =>
      requests.map((request) => request.then(({ status }) => statuses.push(status)));
    const before = note(searches(10));
    await waitUntil(async () => statuses.length === 6);
    clearInterval(busy);
    controller.abort();
    await Promise.all(leaving);
    await waitUntil(async () => (await service.api.get('/api/contacts?limit=1')).status === 200);
    const after = note(searches(70));
    await waitUntil(async () => statuses.length === 16);
    await sleep(300);
    expect(statuses).toEqual(Array<number>(16).fill(503));
    await direct.query('COMMIT');
    await Promise.all([...before, ...after]);
    expect(statuses.slice(16)).toEqual(Array<number>(64).fill(200));
  });
});

describe('too many requests at once', () => {
  const REQUESTS = 4;
  let service: TestService;
  let direct: pg.Client;
  let path: string;
  beforeAll(async () => {
    service = await TestService.start({ HTTP_MAX_REQUESTS: String(REQUESTS) });
    direct = new pg.Client({ connectionString: service.databaseUrl });
    await direct.connect();
    path = `/api/contacts/${await createContact(service.api)}`;
  });
  afterAll(async () => {
    await direct.end();
    await service.stop();
  });

  /** Requests that wait for a lock, all of them under way. */
  async function occupy<T>(requests: readonly (() => Promise<T>)[]): Promise<Promise<T>[]> {
    await direct.query('BEGIN; LOCK TABLE contact_search');
    const all = requests.map((request) => request());
    await waitUntil(async () => {
      const { rowCount } = await direct.query(WAITING_FOR_A_LOCK);
      return rowCount === requests.length;
    });
    return all;
  }

  /** Each for another term: who searches for the same waits for the first. */
  let terms = 0;
  const search = () => service.api.get(`/api/contacts?search=smith${(terms += 1)}`);

  test('are refused, reads as well as writes, until others are done; health never is', async () => {
    const busy = await occupy(Array.from({ length: REQUESTS }, () => search));
    const asked = { headers: { 'x-request-id': 'asked-for-this' } };
    for (const refused of [
      await service.api.get(path, asked),
      await service.api.post('/api/contacts', { email: 'overload@acme.com' }, asked),
      await service.api.get('/nowhere', asked),
    ]) {
      expect([refused.status, refused.body.error.code]).toEqual([503, 'overloaded']);
      expect(refused.headers['retry-after']).toBe('1');
      expect(refused.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(refused.headers['x-request-id']).toBe('asked-for-this');
      expect(refused.body.error.request_id).toBe('asked-for-this');
    }
    for (const health of ['live', 'ready'])
      expect((await fetch(`${service.url}/health/${health}`)).status).toBe(200);
    await direct.query('COMMIT');
    expect((await Promise.all(busy)).map(({ status }) => status)).toEqual(busy.map(() => 200));
    expect((await service.api.get(path)).status).toBe(200);
    expect(await service.sql(`SELECT FROM contact WHERE email = 'overload@acme.com'`)).toEqual([]);
  });

  test('are refused under the paths of health, too, unless they ask as a balancer does', async () => {
    const uploads = Array.from({ length: REQUESTS }, () => open(service.url));
    for (const socket of uploads)
      socket.write(
        `POST /api/contacts HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
      );
    await waitUntil(async () => (await service.api.get(path)).status === 503);
    for (const [request, status] of [
      [`POST /health/live HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 2\r\n\r\n{}`, 503],
      [`GET /health/live HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 2\r\n\r\n{}`, 503],
      [`GET /health/live HTTP/1.1\r\n${HOST}${CLOSE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 503],
      [`GET /health/live?a HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 503],
      [`GET /health/nowhere HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 503],
      [`HEAD /health/live HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 200],
      [`GET /health/ready HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 200],
    ] as const)
      expect({ request, status: (await sendRaw(service.url, request)).status }).toEqual({ request, status });
    for (const socket of uploads) socket.destroy();
    await waitUntil(async () => (await service.api.get(path)).status === 200);
  });

  test('and what is wrong with a later request on the same connection is no answer to one that runs', async () => {
    await direct.query('BEGIN; LOCK TABLE contact_search');
    const { key } = (await service.api.post('/api/keys', { name: 'raw', scopes: ['contacts:read'] })).body
      .data;
    const socket = open(service.url);
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    const closed = once(socket, 'close');
    socket.write(`GET /api/contacts?search=later HTTP/1.1\r\n${HOST}X-SM-Key: ${key}\r\n\r\n`);
    await waitUntil(async () => (await direct.query(WAITING_FOR_A_LOCK)).rowCount === 1);
    socket.write('neither this nor that\r\n\r\n');
    await closed;
    await direct.query('COMMIT');
    expect(heard).toBe('');
  });

  test('do not include those whose client has gone', async () => {
    const key = (await service.api.post('/api/keys', { name: 'gone', scopes: ['contacts:read'] })).body.data
      .key;
    const controller = new AbortController();
    const leave = () =>
      fetch(`${service.url}/api/contacts?search=smith${(terms += 1)}`, {
        headers: { 'x-sm-key': key },
        signal: controller.signal,
      }).catch(() => undefined);
    const busy = await occupy(Array.from({ length: REQUESTS }, () => leave));
    expect((await service.api.get(path)).status).toBe(503);
    controller.abort();
    await Promise.all(busy);
    await waitUntil(async () => (await service.api.get(path)).status === 200);
    await direct.query('COMMIT');
  });
});
