// The server gives the service fewer connections than it wants, or none.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { ConcurrencyLimit } from '../src/common/concurrency-limit.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { PATIENT, TestService } from './support/service.js';
import { waitUntil } from './support/wait.js';

const role = `few_${randomBytes(4).toString('hex')}`;
/** What listens, counts and sends mail has some of them. */
const FEW = 9;
const MANY = 40;

let database: TestDatabase;
/** A session of the superuser, whom no limit concerns. */
let direct: pg.Client;
let service: TestService;
beforeAll(async () => {
  // A busy machine would let fewer run at once than are to need a connection.
  jest.spyOn(ConcurrencyLimit.prototype, 'current', 'get').mockReturnValue(128);
  database = await createTestDatabase();
  direct = new pg.Client({ connectionString: database.url });
  await direct.connect();
  await direct.query(
    `CREATE ROLE ${role} LOGIN PASSWORD '${role}' CONNECTION LIMIT ${FEW} IN ROLE CURRENT_USER`,
  );
  const url = Object.assign(new URL(database.url), { username: role, password: role });
  service = await TestService.start({
    DATABASE_URL: url.href,
    DATABASE_POOL_SIZE: '20',
    ...PATIENT,
  });
});
afterAll(async () => {
  await service.stop();
  await direct.end();
  await database.drop();
  const server = new pg.Client({
    connectionString: Object.assign(new URL(database.url), { pathname: '/postgres' }).href,
  });
  await server.connect();
  await server.query(`DROP ROLE ${role}`);
  await server.end();
});

async function setLimit(limit: number): Promise<void> {
  await direct.query(`ALTER ROLE ${role} CONNECTION LIMIT ${limit}`);
}

const poolSize = async (): Promise<number> => {
  const sessions = `SELECT FROM pg_stat_activity WHERE usename = $1 AND application_name = 'contacts'`;
  return (await direct.query(sessions, [role])).rowCount ?? 0;
};

/** The statuses of many writes at once. */
async function writeAtOnce(name: string): Promise<Set<number>> {
  const writes = Array.from({ length: 60 }, (_, n) =>
    service.api.post('/api/contacts', { email: `${name}${n}@acme.com` }),
  );
  return new Set((await Promise.all(writes)).map(({ status }) => status));
}

test('few connections serve everybody, and more are opened as soon as they may', async () => {
  expect(await writeAtOnce('few')).toEqual(new Set([201]));
  const few = await poolSize();
  expect(few).toBeLessThan(FEW);
  await setLimit(MANY);
  let round = 0;
  await waitUntil(async () => {
    await writeAtOnce(`round${(round += 1)}-`);
    return (await poolSize()) > FEW;
  });
});

test('without any connection every request is a 503, until there are some again', async () => {
  await setLimit(0);
  await direct.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1', [
    role,
  ]);
  expect(await writeAtOnce('none')).toEqual(new Set([503]));
  await setLimit(MANY);
  let attempt = 0;
  await waitUntil(async () => {
    const email = `first${(attempt += 1)}@acme.com`;
    return (await service.api.post('/api/contacts', { email })).status === 201;
  });
  expect(await writeAtOnce('again')).toEqual(new Set([201]));
});
