// Many writers at once: the database settles every race, and each caller gets the answer that is true.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { OPERATOR } from '../../src/auth/caller.js';
import { CompaniesRepository } from '../../src/companies/companies.repository.js';
import { IdSource } from '../../src/common/ids.js';
import { countRows, createCompany, createContact, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';
import { untilLocked } from '../support/wait.js';

const CROWD = 300;
/** Room for all of the crowd, however late the process comes to them: none is refused for being one too many. */
const ROOM = {
  HTTP_MAX_REQUESTS: String(CROWD),
  DATABASE_POOL_QUEUE: String(CROWD),
  DATABASE_POOL_WAIT_MS: '60000',
};

let service: TestService;
beforeAll(async () => {
  service = await TestService.start(ROOM);
});
afterAll(() => service.stop());
beforeEach(() => service.sql('TRUNCATE contact, company CASCADE'));
afterEach(() => void jest.restoreAllMocks());

const statuses = (answers: { status: number }[]): number[] =>
  answers.map(({ status }) => status).toSorted((a, b) => a - b);

test('of twenty identical creates at once one is made and nineteen learn who it is', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      service.api.post('/api/contacts', { email: index % 2 === 0 ? 'jane@acme.com' : ' JANE@Acme.com' }),
    ),
  );
  expect(statuses(answers)).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
  expect(await countRows(service, 'contact')).toBe(1);
  const made = answers.find(({ status }) => status === 201)?.body.data.id as string;
  for (const { body } of answers.filter(({ status }) => status === 409)) {
    expect(body.error.details).toEqual([{ field: 'email', existing_id: made }]);
  }
});

test('patches of three hundred different sets of fields at once are each done as asked', async () => {
  const fields = [
    'title',
    'role',
    'department',
    'phone',
    'source',
    'notes',
    'product',
    'pipeline_stage',
    'tags',
  ];
  const changes = Array.from({ length: CROWD }, (_, number) =>
    Object.fromEntries(
      fields.flatMap((field, bit) => (((number + 1) >> bit) & 1 ? [[field, `${number}`]] : [])),
    ),
  );
  const ids = await Promise.all(changes.map(() => createContact(service.api)));
  const answers = await Promise.all(
    changes.map((change, index) => service.api.patch(`/api/contacts/${ids[index]}`, change)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const changed = await Promise.all(ids.map((id) => readContact(service.api, id)));
  expect(changed).toMatchObject(changes);
});

test('patches of different fields at once all land', async () => {
  const id = await createContact(service.api);
  const changes = {
    title: 'CEO',
    role: 'buyer',
    phone: '1',
    department: 'Board',
    first_name: 'J',
    last_name: 'S',
    notes: 'n',
  };
  const answers = await Promise.all(
    Object.entries(changes).map(([field, value]) =>
      service.api.patch(`/api/contacts/${id}`, { [field]: value }),
    ),
  );
  expect(statuses(answers)).toEqual(answers.map(() => 200));
  expect(await readContact(service.api, id)).toMatchObject({ ...changes, full_name: 'J S' });
});

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  return client;
}

test.each(['contact', 'company'] as const)(
  'a change of a %s is later than the one it waited for, though its transaction began before',
  async (table) => {
    const id = table === 'contact' ? await createContact(service.api) : await createCompany(service.api);
    const path = table === 'contact' ? `/api/contacts/${id}` : `/api/companies/${id}`;
    const updatedAt = async (db: pg.Client): Promise<string> => {
      const { rows } = await db.query<{ at: string }>(
        `SELECT updated_at::text AS at FROM ${table} WHERE id = $1`,
        [id],
      );
      return rows[0]?.at ?? '';
    };
    const [other, watcher] = await Promise.all([connected(), connected()]);
    await other.query('BEGIN');
    await other.query(`SELECT FROM ${table} WHERE id = $1 FOR UPDATE`, [id]);
    const patched = service.api.patch(path, { notes: 'second' }, { headers: { 'if-match': '*' } });
    await untilLocked(watcher, 1);
    await other.query(`UPDATE ${table} SET updated_at = clock_timestamp() WHERE id = $1`, [id]);
    const first = await updatedAt(other);
    await other.query('COMMIT');
    expect((await patched).status).toBe(200);
    const second = await updatedAt(other);
    await Promise.all([other.end(), watcher.end()]);
    expect(second > first).toBe(true);
  },
);

test('a contact is added to a company that somebody is about to change', async () => {
  const id = await createCompany(service.api);
  const companies = service.app.get(CompaniesRepository);
  await companies.transaction(async (db) => {
    await companies.findById(OPERATOR, id, { db, lock: true });
    expect((await service.api.post('/api/contacts', { company_id: id })).status).toBe(201);
  });
});

describe('without If-Match the last write wins field by field, never by whole row', () => {
  const contact = async () => `/api/contacts/${await createContact(service.api)}`;
  const company = async () => `/api/companies/${await createCompany(service.api)}`;
  const plain = () => ({});
  const ways: [string, () => Promise<string>, string[], () => Record<string, string>][] = [
    ['of a contact', contact, ['title', 'phone', 'notes', 'first_name', 'tags'], plain],
    ['of a company', company, ['domain', 'notes', 'industry', 'revenue_range', 'product'], plain],
    ['of a contact, each in a transaction', contact, ['title', 'phone', 'notes', 'first_name', 'tags'],
      () => ({ 'if-match': '*', 'idempotency-key': randomUUID() })],
  ]; // prettier-ignore

  test.each(ways)('%s', async (_what, create, fields, headersOf) => {
    const path = await create();
    // Each writer has a field of its own, and all of them have the source: who reads and writes back loses some.
    const written = await Promise.all(
      fields.map(async (field) => {
        for (let round = 1; round <= 8; round += 1) {
          const body = { [field]: `${field}-${round}`, source: `${field}-${round}` };
          expect((await service.api.patch(path, body, { headers: headersOf() })).status).toBe(200);
        }
        return [field, `${field}-8`];
      }),
    );
    const { source, ...rest } = (await service.api.get(path)).body.data as Record<string, string>;
    expect(rest).toMatchObject(Object.fromEntries(written) as object);
    expect(written.map(([, value]) => value)).toContain(source);
  });
});

test('creates and patches racing for one e-mail leave it with one contact', async () => {
  const ids = await Promise.all([1, 2, 3].map(() => createContact(service.api)));
  const email = 'wanted@acme.com';
  const answers = await Promise.all([
    ...ids.map((id) => service.api.patch(`/api/contacts/${id}`, { email })),
    ...ids.map(() => service.api.post('/api/contacts', { email })),
  ]);
  expect(answers.filter(({ status }) => status < 300)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  const [row] = await service.sql<{ count: number }>('SELECT count(*)::int FROM contact WHERE email = $1', [
    email,
  ]);
  expect(row?.count).toBe(1);
});

test('contacts that swap their e-mails at once answer 409 or 503, never 500, and stay distinct', async () => {
  const one = await createContact(service.api, { email: 'one@acme.com' });
  const two = await createContact(service.api, { email: 'two@acme.com' });
  const answers = await Promise.all([
    service.api.patch(`/api/contacts/${one}`, { email: 'two@acme.com' }),
    service.api.patch(`/api/contacts/${two}`, { email: 'one@acme.com' }),
  ]);
  for (const { status } of answers) expect([200, 409, 503]).toContain(status);
  expect((await readContact(service.api, one)).email).not.toBe((await readContact(service.api, two)).email);
});

test('clearing e-mail and company at once cannot leave a contact without both', async () => {
  const company_id = await createCompany(service.api);
  const id = await createContact(service.api, { email: 'jane@acme.com', company_id });
  const answers = await Promise.all([
    service.api.patch(`/api/contacts/${id}`, { email: null }),
    service.api.patch(`/api/contacts/${id}`, { company_id: null }),
  ]);
  expect(statuses(answers)).toEqual([200, 400]);
});

test('an id drawn twice is drawn again, for contacts and companies', async () => {
  const ids = service.app.get(IdSource);
  const contact = await createContact(service.api);
  const company = await createCompany(service.api);
  const next = jest.spyOn(ids, 'next');
  next.mockReturnValueOnce(contact).mockReturnValueOnce(contact).mockReturnValueOnce('ct_fresh000');
  expect(await createContact(service.api, { email: 'second@acme.com' })).toBe('ct_fresh000');
  next.mockReturnValueOnce(company).mockReturnValueOnce('co_fresh000');
  expect(await createCompany(service.api)).toBe('co_fresh000');
  expect(next).toHaveBeenCalledTimes(5);
  expect((await readContact(service.api, contact)).id).toBe(contact);
});

test('an id drawn twice does not hide that the e-mail is taken', async () => {
  const contact = await createContact(service.api, { email: 'jane@acme.com' });
  jest.spyOn(service.app.get(IdSource), 'next').mockReturnValueOnce(contact);
  const response = await service.api.post('/api/contacts', { email: 'jane@acme.com' });
  expect(response.status).toBe(409);
  expect(response.body.error.details).toEqual([{ field: 'email', existing_id: contact }]);
});
