// Statements that hold every connection of the pool: who waits, how long, and who need not.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import type { Response } from 'supertest';
import { ApiKeyChanges } from '../src/auth/api-key-changes.js';
import { ConcurrencyLimit } from '../src/common/concurrency-limit.js';
import { createContact } from './support/factories.js';
import { TestService } from './support/service.js';
import { waitUntil } from './support/wait.js';

const POOL = 10;
const QUEUE = 5;

let service: TestService;
let direct: pg.Client;
let path: string;
beforeAll(async () => {
  // A busy machine would let fewer run at once, and look keys up again: here it is the pool alone that limits.
  jest.spyOn(ConcurrencyLimit.prototype, 'current', 'get').mockReturnValue(128);
  jest.spyOn(ApiKeyChanges.prototype, 'isCurrent', 'get').mockReturnValue(true);
  service = await TestService.start({
    DATABASE_POOL_SIZE: String(POOL),
    DATABASE_POOL_QUEUE: String(QUEUE),
    DATABASE_POOL_WAIT_MS: '6000',
    // Longer than what is slow here goes on.
    DATABASE_TIMEOUT_MS: '120000',
  });
  direct = new pg.Client({ connectionString: service.databaseUrl });
  await direct.connect();
  path = `/api/contacts/${await createContact(service.api)}`;
});
afterAll(async () => {
  await direct.end();
  await service.stop();
});

/** Each for another term: who searches for the same waits for the first. */
let terms = 0;
const search = (): Promise<Response> => service.api.get(`/api/contacts?search=smith${(terms += 1)}`);
const searches = (count: number): Promise<Response>[] => Array.from({ length: count }, search);

/** Searches that wait for the table of documents, which nothing else asked for here needs. */
async function running(): Promise<number> {
  const { rows } = await direct.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_locks
     WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows[0]?.count ?? 0;
}

test('ten slow searches hold the pool: reads go on, few wait, the rest is refused at once, and it drains', async () => {
  await waitUntil(async () => (await service.api.get(path)).status === 200);
  await direct.query('BEGIN; LOCK TABLE contact_search');
  const slow = searches(POOL);
  await waitUntil(async () => (await running()) === POOL);

  const behind = await Promise.all(searches(QUEUE + 7));
  const refused = behind.filter(({ body }) => body.error.code === 'overloaded');
  const waited = behind.filter(({ body }) => body.error.code === 'unavailable');
  expect([refused.length, waited.length]).toEqual([7, QUEUE]);
  for (const { status, headers } of behind) expect([status, headers['retry-after']]).toEqual([503, '1']);

  const waiting = searches(QUEUE);
  for (let time = 0; time < 20; time += 1) {
    expect((await service.api.get(path)).status).toBe(200);
    expect((await service.api.get('/api/contacts?limit=1')).status).toBe(200);
  }
  const left = await Promise.all(waiting);
  expect(new Set(left.map(({ status }) => status))).toEqual(new Set([503]));

  await direct.query('COMMIT');
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(slow.map(() => 200));
  const after = await Promise.all(searches(POOL + QUEUE));
  expect(new Set(after.map(({ status }) => status))).toEqual(new Set([200]));
});

test('whoever waits is answered when a connection comes free in time', async () => {
  await direct.query('BEGIN; LOCK TABLE contact_search');
  const all = searches(POOL + QUEUE);
  await waitUntil(async () => (await running()) === POOL);
  await direct.query('COMMIT');
  expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([200]));
});
