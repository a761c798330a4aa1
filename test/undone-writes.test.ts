// Writes that the database undoes are done again; those whose outcome nobody knows are not.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { transaction } from '../src/common/transaction.js';
import { createCompany, createContact, readContact } from './support/factories.js';
import type { Line } from './support/line.js';
import type { TestService } from './support/service.js';
import { TroubledService } from './support/troubled-service.js';
import { untilLocked, waitUntil } from './support/wait.js';

const ANY = { headers: { 'if-match': '*' } };

let troubled: TroubledService;
let direct: pg.Client;
let line: Line;
let service: TestService;
let id: string;
beforeAll(async () => {
  troubled = await TroubledService.start();
  ({ direct, line, service } = troubled);
});
beforeEach(async () => {
  id = await createContact(service.api);
});
afterEach(() => line.restore());
afterAll(() => troubled.stop());

const countOf = async (condition: string): Promise<number> =>
  (await direct.query(`SELECT FROM contact WHERE ${condition}`)).rowCount ?? 0;

/** Ends every session of the service's pool; of some states only. */
const endSessions = (states = `IS NOT NULL`): Promise<pg.QueryResult> =>
  direct.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'contacts' AND state ${states}`,
  );

/** Sets what new sessions of the database begin with, and ends the old ones. */
async function setForSessions(name: string, value: string): Promise<void> {
  const own = direct.escapeIdentifier(new URL(troubled.database.url).pathname.slice(1));
  await direct.query(`ALTER DATABASE ${own} SET ${name} = '${value}'`);
  await endSessions();
}

describe('a transaction is done again', () => {
  test('when its connection is lost before the COMMIT', async () => {
    line.loseNext('lose', 'UPDATE contact');
    expect((await service.api.patch(`/api/contacts/${id}`, { title: 'CEO' }, ANY)).status).toBe(200);
    expect(await readContact(service.api, id)).toMatchObject({ title: 'CEO' });
  });

  test('when an administrator ends its session between two statements', async () => {
    line.beforeNext('UPDATE contact', () => endSessions(`= 'idle in transaction'`));
    expect((await service.api.patch(`/api/contacts/${id}`, { title: 'CFO' }, ANY)).status).toBe(200);
    expect(await readContact(service.api, id)).toMatchObject({ title: 'CFO' });
  });

  test('when a change of the schema has outdated what it had prepared, on whichever connection', async () => {
    await direct.query('CREATE TABLE widened (a int); INSERT INTO widened VALUES (1)');
    const read = (): Promise<unknown> =>
      transaction(service.app.get(DataSource), (db) => db.query('SELECT * FROM widened'));
    const reads = (): Promise<unknown[]> => Promise.all(Array.from({ length: 6 }, read));
    await reads();
    await direct.query('ALTER TABLE widened ADD COLUMN b text');
    expect(await reads()).toEqual(Array.from({ length: 6 }, () => [{ a: 1, b: null }]));
  });

  test('with all it wrote, and none of it twice', async () => {
    line.loseNext('lose', 'INSERT INTO auth_audit_log');
    const contact = { email: 'whole@acme.com', portal_access: 1 };
    const { status, body } = await service.api.post('/api/contacts', contact);
    expect(status).toBe(201);
    expect(await countOf(`email = 'whole@acme.com'`)).toBe(1);
    const granted = await direct.query('SELECT FROM auth_audit_log WHERE subject_id = $1', [body.data.id]);
    expect(granted.rowCount).toBe(1);
  });
});

test('a write that deadlocks with another client is done after it', async () => {
  // It looks once, which on a busy machine is not to be before the other is in its way.
  await setForSessions('deadlock_timeout', '5s');
  const before = await deadlocks();
  const company = await createCompany(service.api);
  const other = new pg.Client({ connectionString: troubled.database.url });
  await other.connect();
  // Whoever looks first finds itself in the way, and that shall be the service.
  await other.query(`SET deadlock_timeout = '1min'; BEGIN`);
  await other.query('SELECT FROM company WHERE id = $1 FOR UPDATE', [company]);
  const answer = service.api.patch(`/api/contacts/${id}`, { company_id: company });
  await untilLocked(direct, 1);
  await other.query(`UPDATE contact SET title = 'theirs' WHERE id = $1`, [id]);
  await other.query('COMMIT');
  await other.end();
  expect((await answer).status).toBe(200);
  expect(await readContact(service.api, id)).toMatchObject({ title: 'theirs', company_id: company });
  await waitUntil(async () => (await deadlocks()) > before);
  await setForSessions('deadlock_timeout', '1s');
});

/** So many the server has seen in this database; a session tells of its own when it has nothing to do. */
async function deadlocks(): Promise<number> {
  const { rows } = await direct.query<{ deadlocks: number }>(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0]?.deadlocks ?? 0;
}

describe('where transactions are serializable', () => {
  beforeAll(() => setForSessions('default_transaction_isolation', 'serializable'));
  afterAll(() => setForSessions('default_transaction_isolation', 'read committed'));

  test.each([
    ['single statements', {}],
    ['transactions', ANY],
  ])('%s that collide all succeed', async (_kind, options) => {
    const other = new pg.Client({ connectionString: troubled.database.url });
    await other.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM contact WHERE id = $1 FOR UPDATE', [id]);
    const patches = Array.from({ length: 4 }, (_, n) =>
      service.api.patch(`/api/contacts/${id}`, { title: `title ${n}` }, options),
    );
    await untilLocked(direct, 4);
    // Whoever has waited for this finds a row that is not the one it saw.
    await other.query(`UPDATE contact SET title = 'first' WHERE id = $1`, [id]);
    await other.query('COMMIT');
    await other.end();
    expect((await Promise.all(patches)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});

describe('what may have been committed is a 503 and not done again:', () => {
  test('a transaction whose COMMIT was sent', async () => {
    line.loseNext('lose-answer', 'COMMIT');
    const contact = { email: 'once@acme.com', portal_access: 1 };
    expect((await service.api.post('/api/contacts', contact)).status).toBe(503);
    expect(await countOf(`email = 'once@acme.com'`)).toBe(1);
  });

  test('one whose session is ended after the COMMIT, as others are before it', async () => {
    line.loseNext('end-answer', 'COMMIT');
    // Nothing of it is unique: done again it would be two.
    const key = { name: 'once', scopes: ['contacts:read'] };
    expect((await service.api.post('/api/keys', key)).status).toBe(503);
    expect((await direct.query(`SELECT FROM api_key WHERE name = 'once'`)).rowCount).toBe(1);
  });

  test('a single statement', async () => {
    const company = await createCompany(service.api);
    line.loseNext('lose-answer', 'Only Once');
    const contact = { company_id: company, first_name: 'Only Once' };
    expect((await service.api.post('/api/contacts', contact)).status).toBe(503);
    expect(await countOf(`first_name = 'Only Once'`)).toBe(1);
  });
});

test.each([1, 2])(
  'a ROLLBACK refused %d times leaves nothing to whoever has its connection next',
  async (times) => {
    line.loseNext('refuse', 'ROLLBACK', times);
    const stale = { headers: { 'if-match': '"stale"' } };
    expect((await service.api.patch(`/api/contacts/${id}`, { title: 'stale' }, stale)).status).toBe(412);
    const ids = await Promise.all(Array.from({ length: 20 }, () => createContact(service.api)));
    const answers = ids.map((one) => service.api.patch(`/api/contacts/${one}`, { title: 'next' }, ANY));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(ids.map(() => 200));
    await waitUntil(async () => {
      const open = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`;
      return (await direct.query(open)).rowCount === 0;
    });
  },
);

test('a part of a transaction that fails leaves the rest of it', async () => {
  const set = 'UPDATE contact SET title = $1 WHERE id = $2';
  await transaction(service.app.get(DataSource), async (db) => {
    await db.query(set, ['whole', id]);
    const part = db.transaction(async (inner) => {
      await inner.query(set, ['part', id]);
      await inner.query('SELECT 1 / 0');
    });
    await expect(part).rejects.toMatchObject({ code: '22012' });
    await db.transaction((inner) =>
      inner.query('UPDATE contact SET department = $1 WHERE id = $2', ['also', id]),
    );
  });
  expect(await readContact(service.api, id)).toMatchObject({ title: 'whole', department: 'also' });
});

test('a statement that failed unheeded fails its transaction', async () => {
  const heedless = transaction(service.app.get(DataSource), async (db) => {
    await db.query('UPDATE contact SET title = $1 WHERE id = $2', ['lost', id]);
    await db.query('SELECT 1 / 0').catch(() => undefined);
  });
  await expect(heedless).rejects.toThrow('ROLLBACK');
  expect(await readContact(service.api, id)).toMatchObject({ title: null });
});
