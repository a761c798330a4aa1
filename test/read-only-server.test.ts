// The server turns read-only, as the old primary does after a failover, while new connections reach one that writes.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact, readContact } from './support/factories.js';
import { PATIENT, type TestService } from './support/service.js';
import { TroubledService } from './support/troubled-service.js';
import { waitUntil } from './support/wait.js';

let troubled: TroubledService;
let direct: pg.Client;
let service: TestService;
let id: string;
beforeAll(async () => {
  troubled = await TroubledService.start({ DATABASE_POOL_SIZE: '4', ...PATIENT });
  ({ direct, service } = troubled);
  id = await createContact(service.api);
});
beforeEach(async () => {
  await newSessionsAre('writable');
});
afterAll(() => troubled.stop());

/** What sessions begin with from now on; those there are keep what they have. */
async function newSessionsAre(kind: 'read-only' | 'writable'): Promise<void> {
  const name = direct.escapeIdentifier(new URL(troubled.database.url).pathname.slice(1));
  await direct.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${kind === 'read-only'}`);
}

/**
 * Fills the service with sessions of a server that does not write, and lets new ones lead to one that does.
 * @returns those of the server that does not write, which the service may give up at any moment.
 */
async function failOver(): Promise<number[]> {
  let filled: number[] = [];
  await newSessionsAre('read-only');
  await direct.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await waitUntil(async () => {
    const reads = Array.from({ length: 8 }, () => service.api.get('/api/contacts?tag=none'));
    const answers = await Promise.all([...reads, service.api.get(`/api/contacts/${id}`)]);
    const reading = await sessions('contacts-reads');
    filled = [...(await sessions('contacts')), ...reading];
    return (
      answers.every(({ status }) => status === 200) && reading.length > 0 && filled.length > reading.length
    );
  });
  await newSessionsAre('writable');
  return filled;
}

async function sessions(application: string): Promise<number[]> {
  const { rows } = await direct.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1`,
    [application],
  );
  return rows.map(({ pid }) => pid);
}

test.each([
  ['a single statement', {}],
  ['a transaction', { headers: { 'if-match': '*' } }],
])('%s is written by the server that new connections lead to', async (kind, options) => {
  await failOver();
  await waitUntil(async () => {
    return (await service.api.patch(`/api/contacts/${id}`, { title: kind }, options)).status === 200;
  });
  expect(await readContact(service.api, id)).toMatchObject({ title: kind });
});

test('no connection is left to the server of before, though nothing is written', async () => {
  const before = await failOver();
  await waitUntil(async () => {
    const now = [...(await sessions('contacts')), ...(await sessions('contacts-reads'))];
    return before.every((pid) => !now.includes(pid));
  });
});

test('a key that is revoked on the new server is refused', async () => {
  const { body } = await service.api.post('/api/keys', { name: 'revoked', scopes: ['contacts:read'] });
  const { id: keyId, key } = body.data as { id: string; key: string };
  const client = service.as({ 'x-sm-key': key });
  await failOver();
  expect((await client.get('/api/contacts')).status).toBe(200);
  // Another server's notifications do not reach those who listen to this one.
  await direct.query('ALTER TABLE api_key DISABLE TRIGGER api_key_changed');
  await direct.query('UPDATE api_key SET revoked_at = now() WHERE id = $1', [keyId]);
  await waitUntil(async () => (await client.get('/api/contacts')).status === 401);
  await direct.query('ALTER TABLE api_key ENABLE TRIGGER api_key_changed');
});

test('while every server is read-only, reads are served, writes are 503, and neither costs a connection for long', async () => {
  await failOver();
  await newSessionsAre('read-only');
  await direct.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await waitUntil(async () => (await service.api.get(`/api/contacts/${id}`)).status === 200);
  for (let round = 1; round <= 10; round += 1) {
    const [write, read, list] = await Promise.all([
      service.api.patch(`/api/contacts/${id}`, { title: 'refused' }),
      service.api.get(`/api/contacts/${id}`),
      service.api.get('/api/contacts?tag=none'),
    ]);
    expect([write.status, read.status, list.status]).toEqual([503, 200, 200]);
    // Those that are about to end are there as long as their new ones.
    await waitUntil(async () => (await sessions('contacts')).length <= 4);
  }
  await newSessionsAre('writable');
  await waitUntil(
    async () => (await service.api.patch(`/api/contacts/${id}`, { title: 'back' })).status === 200,
  );
});
