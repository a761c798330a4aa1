// The company list: filters, search, order and pages.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
const ids = new Map<string, string>();
beforeAll(async () => {
  service = await TestService.start();
  for (const company of [
    {
      name: 'Ärzte AG',
      domain: 'aerzte.example',
      company_type: 'client',
      monthly_revenue: 10.5,
      status: 'paused',
    },
    { name: 'acme', domain: 'acme.com', company_type: 'client', product: 'crm', monthly_revenue: 9 },
    { name: 'Zeta 100%', source: 'website', monthly_revenue: 0 },
    { name: 'Beta_x', company_type: 'partner', source: 'website' },
    { name: 'Beta', company_type: 'partner' },
  ]) {
    ids.set(company.name, await createCompany(service.api, company));
  }
});
afterAll(() => service.stop());

const list = async (query: string) => {
  const response = await service.api.get(`/api/companies?${query}`);
  expect(response.status).toBe(200);
  const { items, ...page } = response.body.data as {
    items: { name: string }[];
    total: number;
    hasMore: boolean;
  };
  return { ...page, names: items.map(({ name }) => name) };
};

test.each([
  ['', ['acme', 'Ärzte AG', 'Beta', 'Beta_x', 'Zeta 100%']],
  ['sort=name', ['acme', 'Ärzte AG', 'Beta', 'Beta_x', 'Zeta 100%']],
  ['type=client', ['acme', 'Ärzte AG']],
  ['type=partner&source=website', ['Beta_x']],
  ['source=manual', ['acme', 'Ärzte AG', 'Beta']],
  ['status=paused', ['Ärzte AG']],
  ['product=crm', ['acme']],
  ['product=none', []],
  ['search=ARZTE', ['Ärzte AG']],
  ['search=a%CC%88rz', ['Ärzte AG']],
  ['search=ACME.COM', ['acme']],
  ['search=.', ['acme', 'Ärzte AG']],
  ['search=%25', ['Zeta 100%']],
  ['search=_', ['Beta_x']],
  ['search=beta&type=partner&limit=1', ['Beta']],
  ['search=acmeacme', []],
])('?%s answers %j', async (query, names) => {
  expect((await list(query)).names).toEqual(names);
});

test('-monthly_revenue begins with the best customer and ends with those of whom nothing is known', async () => {
  const { names } = await list('sort=-monthly_revenue');
  expect(names.slice(0, 3)).toEqual(['Ärzte AG', 'acme', 'Zeta 100%']);
  const unknown = ['Beta', 'Beta_x'].toSorted((a, b) => ((ids.get(a) ?? '') < (ids.get(b) ?? '') ? 1 : -1));
  expect(names.slice(3)).toEqual(unknown);
});

describe('pages', () => {
  test.each([
    ['limit=2', ['acme', 'Ärzte AG'], { total: 5, page: 1, limit: 2, hasMore: true }],
    ['limit=2&page=3', ['Zeta 100%'], { total: 5, page: 3, limit: 2, hasMore: false }],
    ['limit=2&page=4', [], { total: 5, page: 4, limit: 2, hasMore: false }],
    ['type=client&limit=1', ['acme'], { total: 2, page: 1, limit: 1, hasMore: true }],
    ['type=none', [], { total: 0, page: 1, limit: 25, hasMore: false }],
  ])('?%s is %j, with the true total', async (query, names, page) => {
    expect(await list(query)).toEqual({ ...page, names });
  });

  test('an item is the whole company but for its count', async () => {
    const response = await service.api.get('/api/companies?search=acme.com');
    const { contacts_count, ...company } = (await service.api.get(`/api/companies/${ids.get('acme')}`)).body
      .data;
    expect(response.body.data.items).toEqual([company]);
    expect(contacts_count).toBe(0);
  });

  test.each(['limit=101', 'page=0', 'sort=-name', 'sort=monthly_revenue', 'fields=id', 'cursor='])(
    '?%s is refused',
    async (query) => {
      const response = await service.api.get(`/api/companies?${query}`);
      expect(response.status).toBe(400);
      expect(response.body.error.field).toBe(query.split('=')[0]);
    },
  );
});

test('a new name is found at once', async () => {
  const id = await createCompany(service.api, { name: 'Temporary' });
  await service.api.patch(`/api/companies/${id}`, { name: 'Permanent' });
  expect((await list('search=permanent')).names).toEqual(['Permanent']);
  expect((await list('search=temporary')).names).toEqual([]);
  await service.sql('DELETE FROM company WHERE id = $1', [id]);
});

test.each(['ΔΙΑΣ', 'διασ', 'διας', 'ΔΙΑΣ Α', 'ΕΣΤ', 'ΕΣ'])(
  '%s is found in Greek, whatever its sigmas',
  async (term) => {
    const name = 'Διας Αγρος Εστια';
    ids.set(name, ids.get(name) ?? (await createCompany(service.api, { name })));
    expect((await list(`search=${encodeURIComponent(term)}`)).names).toEqual([name]);
  },
);
