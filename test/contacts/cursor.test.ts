// Walks by cursor: complete and without repeats, whatever happens to the table meanwhile.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { insertRows, listIds } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const SIZE = 60;
/** Rows in groups that share their time, name and score, so that ids must decide. */
const rows = Array.from({ length: SIZE }, (_, index) => ({
  id: `ct_r${String(index).padStart(3, '0')}`,
  email: index % 3 === 0 ? null : `mail${index % 20}.${index}@example.org`,
  company_id: 'co_1',
  first_name: index % 4 === 0 ? null : `Näme "${index % 5}`,
  engagement_score: index % 6 === 0 ? null : (index % 7) / 3,
  contact_type: index % 2 === 0 ? 'even' : 'odd',
  source: 'manual',
  portal_access: 0,
  created_at: new Date(Date.UTC(2026, 0, 1) + Math.floor(index / 4) * 1000 + 0.5).toISOString(),
  updated_at: `2026-01-01T00:00:00.${String(index % 9).padStart(6, '0')}Z`,
}));

beforeEach(async () => {
  await service.sql('TRUNCATE contact, company CASCADE');
  await insertRows(service, 'company', [{ id: 'co_1', name: 'Acme', company_type: 'client' }]);
  await insertRows(service, 'contact', rows);
});

const ORDERS = ['created_at', 'full_name', 'email', 'updated_at', 'engagement_score'].flatMap((name) => [
  name,
  `-${name}`,
]);

/** Walks the list to its end; `between` runs after each page. */
async function walk(
  query: string,
  between: (step: number) => Promise<unknown> = async () => {},
  { api } = service,
): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | null = '';
  for (let step = 0; cursor !== null; step += 1) {
    const response = await api.get(`/api/contacts?${query}&cursor=${cursor}`);
    expect(response.status).toBe(200);
    const { items, next_cursor, hasMore } = response.body.data;
    expect(hasMore).toBe(next_cursor !== null);
    seen.push(...(items as { id: string }[]).map(({ id }) => id));
    cursor = next_cursor as string | null;
    await between(step);
  }
  return seen;
}

test.each(ORDERS)('a walk by %s gives the whole list in its order', async (sort) => {
  expect(await walk(`sort=${sort}&limit=7`)).toEqual(await listIds(service.api, `?sort=${sort}&limit=100`));
});

test('a walk keeps to its filters and leaves out the total when asked to', async () => {
  expect(await walk('type=odd&limit=7&total=0')).toEqual(await listIds(service.api, '?type=odd&limit=100'));
  const page = await service.api.get('/api/contacts?type=odd&limit=7&cursor=');
  expect(page.body.data).toMatchObject({ total: SIZE / 2, page: 1, limit: 7, hasMore: true });
});

test('a walk that ends with a full page says so', async () => {
  expect(await walk(`limit=${SIZE / 2}`)).toHaveLength(SIZE);
  const page = await service.api.get(`/api/contacts?limit=${SIZE}&cursor=`);
  expect(page.body.data).toMatchObject({ next_cursor: null, hasMore: false });
});

test('next_cursor is there only for who walks', async () => {
  const page = await service.api.get('/api/contacts?limit=1');
  expect(page.body.data).not.toHaveProperty('next_cursor');
});

test.each(ORDERS)('a walk by %s neither skips nor repeats while contacts come and go', async (sort) => {
  const gone = new Set<string>();
  const churn = async (step: number): Promise<void> => {
    const doomed = rows.filter((_, index) => index % 11 === step).map(({ id }) => id);
    for (const id of doomed) gone.add(id);
    await service.sql('DELETE FROM contact WHERE id = ANY($1)', [doomed]);
    const fresh = rows.map((row) => ({ ...row, id: row.id.replace('_r', `_n${step}x`), email: null }));
    await insertRows(
      service,
      'contact',
      fresh.filter((_, index) => index % 13 === step),
    );
  };
  const seen = await walk(`sort=${sort}&limit=7`, churn);
  expect(new Set(seen).size).toBe(seen.length);
  const stayed = rows.map(({ id }) => id).filter((id) => !gone.has(id));
  expect(stayed.filter((id) => !seen.includes(id))).toEqual([]);
});

describe('a walk by an address that is searched for', () => {
  const contact = (id: string, email: string, day: number): object => ({
    id: `ct_${id}`,
    email,
    contact_type: 'lead',
    source: 'manual',
    portal_access: 0,
    created_at: `2026-02-0${day}T00:00:00Z`,
  });
  const readdress = (id: string, email: string): Promise<unknown> =>
    service.api.patch(`/api/contacts/ct_${id}`, { email });

  test('begins with who has exactly that, and gives nobody twice who loses it', async () => {
    await insertRows(service, 'contact', [
      contact('has', 'ann@acme.com', 2),
      contact('newest', 'joann@acme.com', 4),
      contact('middle', 'rosann@acme.com', 3),
      contact('oldest', 'hann@acme.com', 1),
    ]);
    const seen = await walk('search=ann@acme.com&limit=1', async (step) => {
      if (step === 0) await readdress('has', 'ann@acme.com.au');
      // Who was given already, and who was not.
      if (step === 1) await readdress('newest', 'ann@acme.com');
      if (step === 2) {
        await readdress('newest', 'joann@acme.com');
        await readdress('oldest', 'ann@acme.com');
      }
    });
    expect(seen).toEqual(['ct_has', 'ct_newest', 'ct_middle', 'ct_oldest']);
  });

  test('leaves nobody out who gets it meanwhile', async () => {
    await insertRows(service, 'contact', [
      contact('newest', 'joann@acme.com', 3),
      contact('middle', 'rosann@acme.com', 2),
      contact('oldest', 'hann@acme.com', 1),
    ]);
    const seen = await walk('search=ann@acme.com&limit=1', async (step) => {
      if (step === 0) await readdress('oldest', 'ann@acme.com');
    });
    expect(seen).toEqual(['ct_newest', 'ct_middle', 'ct_oldest']);
  });
});

test('a walk goes on where clocks once went by odd seconds', async () => {
  const elsewhere = await TestService.start();
  try {
    const own = new URL(elsewhere.databaseUrl).pathname.slice(1);
    await elsewhere.sql(`ALTER DATABASE "${own}" SET TimeZone = 'Europe/Paris'`);
    await elsewhere.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    const years = ['1900', '0001', '1970'];
    await insertRows(
      elsewhere,
      'contact',
      years.map((year) => ({
        ...rows[0],
        id: `ct_${year}`,
        company_id: null,
        email: `of${year}@acme.com`,
        created_at: `${year}-01-01T00:00:00Z`,
      })),
    );
    for (const [query, ids] of [
      ['limit=1', ['ct_1970', 'ct_1900', 'ct_0001']],
      ['sort=created_at&limit=1', ['ct_0001', 'ct_1900', 'ct_1970']],
    ] as const)
      expect(await walk(query, undefined, elsewhere)).toEqual(ids);
  } finally {
    await elsewhere.stop();
  }
});

describe('a cursor that the service did not give out', () => {
  const forged = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  test.each([
    ['is nonsense', '', 'nonsense'],
    ['is not base64', '', '%C3%A9%25'],
    ['is no list', '', forged({ a: 1 })],
    ['is empty inside', '', forged([])],
    ['has no keys', '', forged(['-created_at'])],
    ['has too many keys', '', forged(['-created_at', '2026-01-01 00:00:00+00', 'ct_1', 'ct_2'])],
    ['holds a number', '', forged(['-created_at', 5, 'ct_1'])],
    ['has no time', '', forged(['-created_at', 'yesterday', 'ct_1'])],
    ['has an infinite time', '', forged(['-created_at', 'infinity', 'ct_1'])],
    ['has an impossible month', '', forged(['-created_at', '2026-13-01 00:00:00+00', 'ct_1'])],
    ['has an impossible day', '', forged(['-created_at', '2026-02-30 00:00:00+00', 'ct_1'])],
    ['has an impossible hour', '', forged(['-created_at', '2026-02-01 99:00:00+00', 'ct_1'])],
    ['has an impossible offset', '', forged(['-created_at', '2026-02-01 00:00:00+99', 'ct_1'])],
    ['has the year 0', '', forged(['-created_at', '0000-02-01 00:00:00+00', 'ct_1'])],
    ['smuggles SQL', '', forged(['-created_at', "2026-01-01 00:00:00+00'; DROP TABLE contact", 'ct_1'])],
    ['holds a NUL', '', forged(['-created_at', '2026-01-01 00:00:00+00', 'ct_\0'])],
    ['holds half a surrogate', 'sort=full_name', forged(['full_name', '\ud800', 'ct_1'])],
    ['overflows', 'sort=engagement_score', forged(['engagement_score', '1e+999', 'ct_1'])],
    ['underflows', 'sort=engagement_score', forged(['engagement_score', '1e-999', 'ct_1'])],
    ['is not a number', 'sort=engagement_score', forged(['engagement_score', 'NaN', 'ct_1'])],
    ['belongs to another order', 'sort=email', forged(['-email', 'a@acme.com', 'ct_1'])],
    [
      'belongs to a list without search',
      'search=a@acme.com',
      forged(['-created_at', '2026-01-01 00:00:00+00', 'ct_1']),
    ],
    ['is far too long', '', 'x'.repeat(4001)],
  ])('because it %s is a 400', async (_why, query, cursor) => {
    const response = await service.api.get(`/api/contacts?${query}&cursor=${cursor}`);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({ code: 'invalid_request', field: 'cursor' });
  });

  test('but names a sound place merely starts there', async () => {
    const cursor = forged(['created_at', '2026-01-01 05:30:13.9+05:30', 'zz']);
    expect(await listIds(service.api, `?sort=created_at&cursor=${cursor}`)).toEqual(
      rows.slice(-4).map(({ id }) => id),
    );
  });
});

test('a cursor does not go together with a page', async () => {
  const response = await service.api.get('/api/contacts?cursor=&page=2');
  expect(response.status).toBe(400);
  expect(response.body.error).toMatchObject({
    field: 'page',
    message: 'page and cursor exclude each other.',
  });
});
