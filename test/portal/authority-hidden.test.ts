// What a portal user may not know of is answered, everywhere, as what does not exist.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { type People, createPeople, nextEmail } from '../support/portal-users.js';
import { createContact, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let people: People;
beforeAll(async () => {
  service = await TestService.start({ PORTAL_PRODUCTS: 'crm,analytics' });
  people = await createPeople(service);
});
afterAll(() => service.stop());

const HIDDEN_FIELDS = [
  'role',
  'source',
  'pipeline_stage',
  'funnel_stage',
  'product',
  'engagement_score',
  'last_engagement_at',
  'enrichment_status',
  'enrichment_data',
  'close_lead_id',
  'close_contact_id',
  'tags',
  'notes',
];
const HIDDEN_FILTERS = ['source', 'product', 'tag', 'pipeline_stage', 'funnel_stage'];
const HIDDEN_COMPANY_FILTERS = ['type', 'product', 'status', 'source', 'sort'];
/** Names that never existed anywhere. */
const NOWHERE = ['zzzzzzzzzzzz', 'constructor', 'wqxjkv'];

interface Fault {
  field: string;
  code: string;
  message: string;
}

/** The whole error, without what necessarily differs: the name itself, the suggestion, the request's id. */
function shape(response: Response, name: string): object {
  const text = JSON.stringify(response.body.error, (key, value: unknown) =>
    key === 'request_id' ? undefined : value,
  )
    .replaceAll(`\\"${name}\\"`, '\\"NAME\\"')
    .replaceAll(`"${name}"`, '"NAME"')
    .replaceAll(`"${name} `, '"NAME ')
    .replaceAll(/; did you mean \\"[a-z_]+\\"\?/g, '.')
    .replaceAll(/; choose from [a-z_, ]+\./g, '.');
  return { status: response.status, error: JSON.parse(text) as object };
}

/** What an error suggests instead. */
function suggestions(response: Response): string[] {
  const { message, details = [] } = response.body.error as { message: string; details?: Fault[] };
  return [message, ...details.map((fault) => fault.message)].flatMap((text) => [
    ...[...text.matchAll(/did you mean "(\w+)"/g)].map((match) => match[1] ?? ''),
    ...(/choose from ([\w, ]+)\./.exec(text)?.[1]?.split(', ') ?? []),
  ]);
}

/** Sends the request once per hidden name and once per name of nothing: one answer for all. */
async function expectNoDifference(
  hidden: readonly string[],
  send: (name: string) => Promise<Response>,
): Promise<void> {
  const shapes = new Set<string>();
  for (const name of [...hidden, ...NOWHERE]) {
    const response = await send(name);
    expect(response.status).toBe(400);
    expect(suggestions(response).filter((word) => hidden.includes(word))).toEqual([]);
    shapes.add(JSON.stringify(shape(response, name)));
  }
  expect([...shapes]).toHaveLength(1);
}

describe.each(['admin', 'viewer', 'loner'] as const)('to the %s, a hidden field', (caller) => {
  const client = () => people[caller].client;
  const self = () => `/api/contacts/${people[caller].id}`;

  test.each([
    ['with a sound value', 'x'],
    ['with a value of the wrong type', ['x']],
    ['with null', null],
    ['with text far too long', 'x'.repeat(30_000)],
  ])('does not exist in a body, %s', async (_case, value) => {
    await expectNoDifference(HIDDEN_FIELDS, (name) => client().patch(self(), { [name]: value }));
    await expectNoDifference([...HIDDEN_FIELDS, 'photo_url'], (name) =>
      client().post('/api/contacts', { [name]: value }),
    );
  });

  test('does not exist in a body beside other faults, nor beside what is forbidden', async () => {
    await expectNoDifference(HIDDEN_FIELDS, (name) =>
      client().patch(self(), { phone: 7, [name]: 7, portal_role: 'king' }),
    );
    await expectNoDifference(HIDDEN_FIELDS, (name) =>
      client().patch(self(), { portal_role: 'client_admin', [name]: 'x' }),
    );
    await expectNoDifference(HIDDEN_FIELDS, (name) =>
      client().patch('/api/contacts/ct_none0000', { [name]: 'x' }),
    );
  });

  test('does not exist beside more unknown names than are named', async () => {
    const junk = Array.from({ length: 100 }, (_, index) => `zz${index}`);
    const body = Object.fromEntries(junk.map((name) => [name, 1]));
    await expectNoDifference(HIDDEN_FIELDS, (name) => client().patch(self(), { ...body, [name]: 7 }));
    await expectNoDifference(HIDDEN_FILTERS, (name) =>
      client().get(`/api/contacts?${junk.join('&')}&${name}=`),
    );
  });

  test('does not exist among fields', async () => {
    await expectNoDifference(HIDDEN_FIELDS, (name) => client().get(`/api/contacts?fields=${name}`));
    await expectNoDifference(HIDDEN_FIELDS, (name) =>
      client().get(`/api/contacts?fields=email,${name}&sort=nothing`),
    );
  });

  test('does not exist as a filter', async () => {
    for (const rest of [
      'x',
      'x'.repeat(300),
      '',
      'x&page=0',
      'x&sort=nothing',
      'x&search=',
      '1&cursor=junk',
    ]) {
      await expectNoDifference(HIDDEN_FILTERS, (name) => client().get(`/api/contacts?${name}=${rest}`));
    }
    await expectNoDifference(HIDDEN_FILTERS, (name) => client().get(`/api/contacts?${name}=a&${name}=b`));
  });

  test('does not exist as a sort', async () => {
    await expectNoDifference(HIDDEN_FIELDS, (name) => client().get(`/api/contacts?sort=${name}`));
    await expectNoDifference(HIDDEN_FIELDS, (name) => client().get(`/api/contacts?sort=-${name}&page=0`));
  });

  test('does not exist as a filter or order of companies', async () => {
    for (const rest of ['x', '-monthly_revenue', 'x&page=0']) {
      await expectNoDifference(HIDDEN_COMPANY_FILTERS, (name) =>
        client().get(`/api/companies?${name}=${rest}`),
      );
    }
  });
});

test('a backend has all of them: the hidden names are real', async () => {
  for (const name of HIDDEN_FILTERS)
    expect((await service.api.get(`/api/contacts?${name}=x`)).status).toBe(200);
  expect(
    (await service.api.get(`/api/contacts?fields=${HIDDEN_FIELDS.join(',')}&sort=engagement_score`)).status,
  ).toBe(200);
  expect(
    (await service.api.get('/api/companies?sort=-monthly_revenue&type=x&product=x&status=x&source=x')).status,
  ).toBe(200);
});

describe('search, filters and totals', () => {
  const found = async (query: string): Promise<number> =>
    (await people.admin.client.get(`/api/contacts?${query}`)).body.data.total as number;

  beforeAll(async () => {
    const words = {
      role: 'zebra-role',
      source: 'zebra',
      tags: 'zebra,crm',
      notes: 'zebra',
      pipeline_stage: 'zebra',
    };
    await service.api.patch(`/api/contacts/${people.colleague}`, words);
    await service.api.patch(`/api/companies/${people.acme}`, { notes: 'zebra', source: 'zebra' });
  });

  test.each(['search=zebra', 'search=fiona', 'search=rival'])(
    '%s finds and counts nothing of what is hidden',
    async (query) => {
      expect(await found(query)).toBe(0);
    },
  );

  test('search=carl finds the colleague, so that finding nothing means something', async () => {
    expect(await found('search=carl')).toBe(1);
  });

  test('a filter on another company, or on an address there, counts nobody', async () => {
    expect(await found(`company_id=${people.rival}`)).toBe(0);
    expect(await found(`email=${(await readContact(service.api, people.foreigner)).email}`)).toBe(0);
    expect(await found(`company_id=${people.acme}`)).toBe(3);
  });

  test('the search of companies knows no other company and no hidden text', async () => {
    for (const [term, total] of [
      ['acme', 1],
      ['rival', 0],
      ['zebra', 0],
    ] as const) {
      const { body } = await people.viewer.client.get(`/api/companies?search=${term}`);
      expect({ term, total: body.data.total }).toEqual({ term, total });
    }
  });

  test('a cursor walks over the own company alone', async () => {
    const { items, next_cursor } = (await people.viewer.client.get('/api/contacts?cursor=&limit=2')).body
      .data;
    const rest = (await people.viewer.client.get(`/api/contacts?cursor=${next_cursor}&limit=100`)).body.data;
    const seen = [...items, ...rest.items].map(({ id }: { id: string }) => id);
    expect(seen.toSorted()).toEqual([people.admin.id, people.viewer.id, people.colleague].toSorted());
  });

  test('a cursor of a hidden order is like one of an order that never was', async () => {
    const answers = [];
    for (const order of ['-engagement_score', '-nowhere']) {
      const cursor = Buffer.from(JSON.stringify([order, '1', 'ct_a1b2c3d4'])).toString('base64url');
      const { status, body } = await people.viewer.client.get(`/api/contacts?cursor=${cursor}`);
      answers.push({ status, details: body.error.details });
    }
    expect(answers[0]).toEqual(answers[1]);
  });

  test('products shows the tag that names a product, and no other tag', async () => {
    const { data } = (await people.viewer.client.get(`/api/contacts/${people.colleague}`)).body;
    expect(data.products).toEqual(['crm']);
    expect(JSON.stringify(data)).not.toContain('zebra');
  });
});

test('what a portal user writes leaves hidden fields as the database has them by default', async () => {
  const { body } = await people.admin.client.post('/api/contacts', { email: nextEmail() });
  const mine = await readContact(service.api, body.data.id);
  const theirs = await readContact(service.api, await createContact(service.api));
  for (const name of HIDDEN_FIELDS)
    expect(mine[name as keyof typeof mine]).toEqual(theirs[name as keyof typeof theirs]);
});
