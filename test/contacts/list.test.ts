// The contact list: filters, order, pages and the choice of fields.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { insertRows, listIds } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;

const at = (second: number, fraction = '000'): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.${fraction}Z`;
const blank = {
  email: null as string | null,
  company_id: 'co_a' as string | null,
  first_name: null as string | null,
  contact_type: 'lead',
  source: 'manual',
  product: null as string | null,
  tags: null as string | null,
  pipeline_stage: null as string | null,
  funnel_stage: null as string | null,
  engagement_score: null as number | null,
  portal_access: 0,
  portal_role: null as string | null,
};
/** The newest first: ct_e and ct_d were created at the same moment. */
const CONTACTS = [
  {
    ...blank,
    id: 'ct_e',
    created_at: at(4),
    updated_at: at(1),
    email: 'eve@acme.com',
    first_name: 'Eve',
    tags: 'vip',
  },
  { ...blank, id: 'ct_d', created_at: at(4), updated_at: at(5), contact_type: 'client', first_name: 'Ärne' },
  {
    ...blank,
    id: 'ct_c',
    created_at: at(3, '500900'),
    updated_at: at(4),
    email: 'carl@acme.com',
    source: 'website',
    engagement_score: 5,
    product: 'crm',
    tags: 'vip,a b',
    portal_access: 1,
    portal_role: 'client_admin',
  },
  {
    ...blank,
    id: 'ct_b',
    created_at: at(2),
    updated_at: at(3),
    email: 'bob@beta.io',
    company_id: 'co_b',
    contact_type: 'client',
    source: 'website',
    first_name: 'bob',
    engagement_score: 0,
    pipeline_stage: 'won',
    funnel_stage: 'aware',
    portal_access: 1,
    portal_role: 'client_viewer',
    tags: 'vips',
  },
  {
    ...blank,
    id: 'ct_a',
    created_at: at(1),
    updated_at: at(2),
    email: 'ann@acme.com',
    company_id: null,
    first_name: 'Ann',
    engagement_score: 7.5,
  },
];
const NEWEST_FIRST = CONTACTS.map(({ id }) => id);

beforeAll(async () => {
  service = await TestService.start({ PORTAL_PRODUCTS: 'insights' });
  await insertRows(service, 'company', [
    { id: 'co_a', name: 'Acme', company_type: 'client' },
    { id: 'co_b', name: 'Beta', company_type: 'client' },
  ]);
  await insertRows(service, 'contact', CONTACTS);
});
afterAll(() => service.stop());

const short = (names: string): string[] => [...names].map((letter) => `ct_${letter}`);

test.each([
  ['', 'edcba'],
  ['company_id=co_a', 'edc'],
  ['company_id=co_nothere', ''],
  ['type=client', 'db'],
  ['type=Client', ''],
  ['source=website', 'cb'],
  ['type=client&source=website', 'b'],
  ['type=client&company_id=co_a', 'd'],
  ['type=lead&source=website&company_id=co_a&search=carl&portal_access=1', 'c'],
  ['product=crm', 'c'],
  ['product=insights', ''],
  ['tag=vip', 'ec'],
  ['tag=a%20b', 'c'],
  ['tag=VIP', ''],
  ['tag=vip,a%20b', ''],
  ['email=CARL@acme.com', 'c'],
  ['email=arl@acme.com', ''],
  ['portal_access=1', 'cb'],
  ['portal_access=0', 'eda'],
  ['portal_role=client_viewer', 'b'],
  ['pipeline_stage=won', 'b'],
  ['funnel_stage=aware', 'b'],
  ['created_after=2026-01-01T00:00:03Z', 'edc'],
  ['created_after=2026-01-01T00:00:03.499Z', 'edc'],
  ['created_after=2026-01-01T00:00:03.500Z', 'ed'],
  ['created_after=2026-01-01T01:00:02%2B01:00', 'edc'],
  ['created_before=2026-01-01T00:00:03.500Z', 'ba'],
  ['created_before=2026-01-01T00:00:03.501Z', 'cba'],
  ['created_before=2026-01-01T00:00:03.5001Z', 'cba'],
  ['created_before=2026-01-01T00:00:03.500000Z', 'ba'],
  ['created_before=9999-12-31T23:59:59.9999Z', 'edcba'],
  ['created_before=2026-01-01T00:00:02Z', 'a'],
  ['created_after=2026-01-01T00:00:01Z&created_before=2026-01-01T00:00:04Z', 'cb'],
  ['updated_after=2026-01-01T00:00:03Z', 'dc'],
  ['updated_before=2026-01-01T00:00:03Z', 'ea'],
])('?%s answers %s, newest first', async (query, expected) => {
  const response = await service.api.get(`/api/contacts?${query}`);
  expect(response.body.data.items.map(({ id }: { id: string }) => id)).toEqual(short(expected));
  expect(response.body.data.total).toBe(expected.length);
});

describe('pages', () => {
  test.each([
    ['limit=2', 'ed', { page: 1, limit: 2, hasMore: true }],
    ['limit=2&page=2', 'cb', { page: 2, limit: 2, hasMore: true }],
    ['limit=2&page=3', 'a', { page: 3, limit: 2, hasMore: false }],
    ['limit=2&page=4', '', { page: 4, limit: 2, hasMore: false }],
    ['limit=5', 'edcba', { page: 1, limit: 5, hasMore: false }],
    ['limit=4', 'edcb', { page: 1, limit: 4, hasMore: true }],
    ['limit=100', 'edcba', { page: 1, limit: 100, hasMore: false }],
    ['page=1000000000', '', { page: 1_000_000_000, limit: 25, hasMore: false }],
    ['page=2147483647&limit=100', '', { page: 2_147_483_647, limit: 100, hasMore: false }],
  ])('?%s is %s, with the true total', async (query, expected, page) => {
    const { items, ...rest } = (await service.api.get(`/api/contacts?${query}`)).body.data;
    expect(items.map(({ id }: { id: string }) => id)).toEqual(short(expected));
    expect(rest).toEqual({ ...page, total: 5 });
  });

  const wrong =
    'limit=101 limit=0 limit=-1 limit= limit=ten limit=1.5 page=0 page=-1 page=1e9 page=01 page=+1 page=%201 ' +
    'page=2147483648 page=99999999999999999999 total=2 total=yes total=';
  test.each(wrong.split(' '))('?%s is refused', async (query) => {
    const response = await service.api.get(`/api/contacts?${query}`);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({ code: 'invalid_request', field: query.split('=')[0] });
  });

  test('total=0 leaves the total out, and nothing else', async () => {
    const { data } = (await service.api.get('/api/contacts?total=0&limit=2')).body;
    expect(Object.keys(data)).toEqual(['items', 'page', 'limit', 'hasMore']);
    expect(data.hasMore).toBe(true);
  });
});

describe('sort', () => {
  test.each([
    ['created_at', 'abcde'],
    ['full_name', 'cadbe'],
    ['email', 'dabce'],
    ['updated_at', 'eabcd'],
    ['engagement_score', 'debca'],
  ])('%s is %s, and the reverse with -', async (sort, expected) => {
    const ascending = await listIds(service.api, `?sort=${sort}`);
    const descending = await listIds(service.api, `?sort=-${sort}`);
    expect(descending).toEqual(ascending.toReversed());
    // Both lack a score: their ids decide.
    expect(ascending).toEqual(short(expected));
  });

  test.each(['created_at', '-full_name', 'email', '-updated_at', 'engagement_score', '-engagement_score'])(
    '%s cut into pages is the same list',
    async (sort) => {
      const pages = [1, 2, 3].map((page) => listIds(service.api, `?sort=${sort}&limit=2&page=${page}`));
      expect((await Promise.all(pages)).flat()).toEqual(await listIds(service.api, `?sort=${sort}`));
    },
  );

  test.each([
    ['fullname', 'full_name'],
    ['-emial', 'email'],
    ['notes', 'created_at'],
    ['--email', 'email'],
    ['constructor', 'created_at'],
    ['', '1 to 50'],
  ])('by %j is refused with a hint', async (sort, hint) => {
    const response = await service.api.get(`/api/contacts?sort=${sort}`);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({ field: 'sort', message: expect.stringContaining(hint) });
  });
});

describe('fields', () => {
  test.each([
    ['id', ['id']],
    ['email,id', ['email', 'id']],
    ['id,id,%20email', ['id', 'email']],
    ['products,notes,created_at,enrichment_data', ['products', 'notes', 'created_at', 'enrichment_data']],
  ])('=%s gives each item exactly those', async (fields, names) => {
    const response = await service.api.get(`/api/contacts?fields=${fields}`);
    expect(response.body.data.items).toHaveLength(5);
    for (const item of response.body.data.items) expect(Object.keys(item)).toEqual(names);
  });

  test('may be every field of a contact, as its own page shows them', async () => {
    const contact = (await service.api.get('/api/contacts/ct_c')).body.data;
    const list = await service.api.get(
      `/api/contacts?email=carl@acme.com&fields=${Object.keys(contact).join(',')}`,
    );
    expect(list.body.data.items).toEqual([contact]);
  });

  test('that do not exist are named, each with the nearest that does', async () => {
    const response = await service.api.get(
      '/api/contacts?fields=id,fullname,search_text,__proto__,full_name_override',
    );
    expect(response.status).toBe(400);
    const { details } = response.body.error;
    expect(details).toHaveLength(4);
    expect(details[0]).toEqual({
      field: 'fields',
      code: 'unknown_field',
      message: 'fields: there is no "fullname"; did you mean "full_name"?',
    });
  });
});

test('the list follows the documented order by default', async () => {
  expect(await listIds(service.api)).toEqual(NEWEST_FIRST);
});
