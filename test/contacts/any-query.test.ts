// Any query string at all: never a failure of ours, never a parameter that is ignored.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createContact, insertRows, listIds, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

/** What each filter compares, with few enough values for filters to meet. */
const FILTERS = {
  company_id: { field: 'company_id', values: ['co_1', 'co_2'] },
  type: { field: 'contact_type', values: ['lead', 'client'] },
  source: { field: 'source', values: ['manual', 'Web site'] },
  product: { field: 'product', values: ['crm', 'insights'] },
  pipeline_stage: { field: 'pipeline_stage', values: ['new', 'won'] },
  funnel_stage: { field: 'funnel_stage', values: ['aware', 'ünsure'] },
  portal_role: { field: 'portal_role', values: ['client_admin', 'client_viewer'] },
} as const;
type Filter = keyof typeof FILTERS;
const FILTER_NAMES = Object.keys(FILTERS) as Filter[];

/** Values that a filter accepts and no contact has, where that is not simply "none". */
const NOWHERE: Partial<Record<Filter, string>> = { company_id: 'co_none', portal_role: 'client_admin' };

/** One contact for each number: its bits choose the values. */
const CONTACTS = Array.from({ length: 128 }, (_, number) => ({
  id: `ct_n${number}`,
  ...Object.fromEntries(
    FILTER_NAMES.map((name, bit) => [FILTERS[name].field, FILTERS[name].values[(number >> bit) & 1]]),
  ),
  portal_access: 0,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
}));

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
  await insertRows(
    service,
    'company',
    ['co_1', 'co_2'].map((id) => ({ id, name: id, company_type: 'client' })),
  );
  await insertRows(service, 'contact', CONTACTS);
});
afterAll(() => service.stop());

const others = [
  'page',
  'limit',
  'search',
  'tag',
  'email',
  'portal_access',
  'created_after',
  'created_before',
  'updated_after',
  'updated_before',
  'sort',
  'fields',
  'cursor',
  'total',
];
const likely = fc.constantFrom(
  '1',
  '0',
  '100',
  'client',
  'co_1',
  'jane@acme.com',
  '-email',
  'full_name',
  'id,email',
  '2026-01-01T00:00:00Z',
  '',
);
/** Any text that a URL can carry. */
const anyText = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.string({ unit: 'binary-ascii' }))
  .filter((text) => text.isWellFormed());
const parameter = fc.tuple(
  fc.oneof({ arbitrary: fc.constantFrom(...FILTER_NAMES, ...others), weight: 9 }, anyText),
  fc.oneof({ arbitrary: likely, weight: 3 }, anyText),
);
const encoded = fc
  .array(parameter, { maxLength: 5 })
  .map((pairs) => pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&'));
const raw = fc.string({ unit: fc.constantFrom(...'%&=+;[]._abf019'), maxLength: 40 });

test.each(['/api/contacts', '/api/companies'])(
  'any query of %s is answered with a page or refused',
  async (path) => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof({ arbitrary: encoded, weight: 5 }, raw), async (query) => {
        const response = await service.api.get(`${path}?${query}`);
        expect([200, 400]).toContain(response.status);
        if (response.status === 200) answered += 1;
      }),
      { numRuns: 200 },
    );
    expect(answered).toBeGreaterThan(5);
  },
);

test('any filters together answer exactly the contacts that pass them all', async () => {
  const choice = fc.record(
    Object.fromEntries(
      FILTER_NAMES.map((name) => [name, fc.constantFrom(...FILTERS[name].values, NOWHERE[name] ?? 'none')]),
    ),
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(choice, async (filters) => {
      const chosen = Object.entries(filters);
      const query = chosen.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
      const expected = CONTACTS.filter((contact: Record<string, unknown>) =>
        chosen.every(([name, value]) => contact[FILTERS[name as Filter].field] === value),
      );
      const response = await service.api.get(`/api/contacts?${[...query, 'limit=1'].join('&')}`);
      expect(response.body.data.total).toBe(expected.length);
      const found = (
        await Promise.all(
          [1, 2].map((page) => listIds(service.api, `?${[...query, 'limit=100', `page=${page}`].join('&')}`)),
        )
      ).flat();
      expect(found.toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
    }),
    { numRuns: 100 },
  );
});

test('any part of a name finds its contact', async () => {
  const id = await createContact(service.api);
  const texts = fc
    .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 })
    .filter((text) => text.trim() !== '');
  await fc.assert(
    fc.asyncProperty(texts, fc.nat(), fc.nat(), async (name, from, length) => {
      await service.api.patch(`/api/contacts/${id}`, { full_name: name });
      const kept = (await readContact(service.api, id)).full_name ?? '';
      const start = from % kept.length;
      const part = kept.slice(start, start + 1 + (length % (kept.length - start)));
      expect(await listIds(service.api, `?search=${encodeURIComponent(part)}`)).toContain(id);
    }),
    { numRuns: 100 },
  );
});
