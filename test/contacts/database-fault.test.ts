// The database goes away, hangs or is slow in the middle of the service's life, and comes back.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact, readContact } from '../support/factories.js';
import type { Line } from '../support/line.js';
import type { TestService } from '../support/service.js';
import { TroubledService } from '../support/troubled-service.js';
import { waitUntil } from '../support/wait.js';

let troubled: TroubledService;
let direct: pg.Client;
let line: Line;
let service: TestService;
let id: string;
beforeAll(async () => {
  troubled = await TroubledService.start({
    DATABASE_TIMEOUT_MS: '2000',
    DATABASE_POOL_SIZE: '3',
    // A busy machine may take seconds to connect.
    DATABASE_POOL_WAIT_MS: '6000',
  });
  ({ direct, line, service } = troubled);
  id = await createContact(service.api);
});
afterEach(() => line.restore());
afterAll(() => troubled.stop());

const REQUESTS: [string, () => ReturnType<typeof service.api.get>][] = [
  ['GET /api/contacts', () => service.api.get('/api/contacts')],
  ['GET /api/contacts/:id', () => service.api.get(`/api/contacts/${id}`)],
  ['POST /api/contacts', () => service.api.post('/api/contacts', { email: 'lost@acme.com' })],
  ['PATCH /api/contacts/:id', () => service.api.patch(`/api/contacts/${id}`, { title: 'lost' })],
  [
    'PATCH with If-Match',
    () => service.api.patch(`/api/contacts/${id}`, { title: 'lost' }, { headers: { 'if-match': '*' } }),
  ],
  ['GET /api/companies', () => service.api.get('/api/companies')],
  ['GET /health/ready', () => service.api.get('/health/ready')],
];

async function expectUnavailable(): Promise<void> {
  const answers = await Promise.all(REQUESTS.map(([, send]) => send()));
  for (const [index, { status, headers, body }] of answers.entries()) {
    const answer = {
      request: REQUESTS[index]?.[0],
      status,
      retryAfter: headers['retry-after'],
      code: body.error?.code,
    };
    expect(answer).toEqual({
      request: REQUESTS[index]?.[0],
      status: 503,
      retryAfter: '1',
      code: 'unavailable',
    });
  }
  expect((await service.api.get('/health/live')).status).toBe(200);
}

async function expectBack(): Promise<void> {
  // The pool may first hand out what else the fault has cut, each once.
  let made = '';
  await waitUntil(async () => {
    const { status, body } = await service.api.post('/api/contacts', { email: `back${Date.now()}@acme.com` });
    made = body.data?.id;
    return status === 201;
  });
  expect((await readContact(service.api, made)).id).toBe(made);
}

test('a refused write keeps its connection', async () => {
  const { email } = await readContact(service.api, id);
  const sessions = async (): Promise<unknown[]> => {
    const { rows } = await direct.query(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'contacts' ORDER BY pid`,
    );
    return rows;
  };
  await service.api.post('/api/contacts', { email });
  const before = await sessions();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    expect((await service.api.post('/api/contacts', { email })).status).toBe(409);
  }
  expect(await sessions()).toEqual(before);
});

test('while the database is gone every request is a 503, and the first one after it is back succeeds', async () => {
  for (let round = 1; round <= 2; round += 1) {
    line.cut();
    await expectUnavailable();
    line.restore();
    await expectBack();
  }
});

test('a database that hangs holds up no request for long, nor the requests after it', async () => {
  await Promise.all(REQUESTS.map(([, send]) => send().catch(() => undefined)));
  line.silence();
  await expectUnavailable();
  line.restore();
  await expectBack();
});

test('connections that end in the moment they are opened are a 503 each, and not the end of the process', async () => {
  line.cut();
  line.endEach();
  await expectUnavailable();
  line.cut();
  line.restore();
  await expectBack();
});

describe('a write that waits behind a lock', () => {
  const blocked = (): Promise<void> =>
    waitUntil(async () => {
      // In a transaction it would be looked at once.
      await direct.query('SELECT pg_stat_clear_snapshot()');
      const { rowCount } = await direct.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return Boolean(rowCount);
    });

  test('is given up with a 503 and not done later', async () => {
    await direct.query('BEGIN; LOCK TABLE contact');
    const response = await service.api.post('/api/contacts', { email: 'waited@acme.com' });
    expect(response.status).toBe(503);
    await direct.query('COMMIT');
    expect((await service.api.get('/api/contacts?email=waited@acme.com')).body.data.total).toBe(0);
    await expectBack();
  });

  test('is a 503 when the line is cut meanwhile', async () => {
    await direct.query('BEGIN; LOCK TABLE contact');
    const answer = service.api.post('/api/contacts', { email: 'cut@acme.com' });
    await blocked();
    line.cut();
    expect((await answer).status).toBe(503);
    await direct.query('COMMIT');
    line.restore();
    await expectBack();
  });

  test('ends in a 503 when an administrator ends its session', async () => {
    await direct.query('BEGIN; LOCK TABLE contact');
    const answer = service.api.post('/api/contacts', { email: 'ended@acme.com' });
    await blocked();
    await direct.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    expect((await answer).status).toBe(503);
    await direct.query('COMMIT');
    await expectBack();
  });
});
