// What a portal user sees of the contacts: its own company's rows, the portal's fields, and no trace of more.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany, createContact, listIds } from '../support/factories.js';
import { type Client, TestService } from '../support/service.js';
import { TokenMaker } from '../support/tokens.js';

const PORTAL_FIELDS = [
  'id', 'email', 'first_name', 'last_name', 'full_name', 'title', 'department', 'phone', 'linkedin_url',
  'photo_url', 'company_id', 'company_name', 'contact_type', 'portal_access', 'portal_role', 'products',
  'created_at', 'updated_at',
]; // prettier-ignore
const HIDDEN_FIELDS = [
  'role', 'source', 'pipeline_stage', 'funnel_stage', 'product', 'engagement_score', 'last_engagement_at',
  'enrichment_status', 'enrichment_data', 'close_lead_id', 'close_contact_id', 'tags', 'notes',
]; // prettier-ignore

let tokens: TokenMaker;
let service: TestService;
let acme: string;
let jane: string;
let colleague: string;
let foreign: string;
let portal: Client;

const as = async (id: string): Promise<Client> =>
  service.as({ authorization: `Bearer ${await tokens.sign(id)}` });

beforeAll(async () => {
  service = await TestService.start(TokenMaker.settings);
  tokens = await TokenMaker.trustedBy(service);
  acme = await createCompany(service.api, { name: 'Acme Corp' });
  const globex = await createCompany(service.api, { name: 'Globex' });
  const all = {
    company_id: acme,
    notes: 'secret',
    tags: 'vip',
    source: 'website',
    product: 'crm',
    role: 'boss',
  };
  jane = await createContact(service.api, {
    ...all,
    email: 'jane@acme.com',
    portal_access: 1,
    portal_role: 'client_admin',
  });
  colleague = await createContact(service.api, { ...all, email: 'joe@acme.com', first_name: 'Joe' });
  foreign = await createContact(service.api, {
    company_id: globex,
    email: 'joe@globex.com',
    first_name: 'Joe',
  });
  await createContact(service.api, { email: 'joe@nowhere.com', first_name: 'Joe' });
  portal = await as(jane);
});
afterAll(() => service.stop());

describe('rows', () => {
  test("lists hold the own company's contacts and count no others", async () => {
    const { data } = (await portal.get('/api/contacts')).body;
    expect(data.items.map(({ id }: { id: string }) => id)).toEqual([colleague, jane]);
    expect(data.total).toBe(2);
  });

  test.each(['?search=joe', '?type=end_user&search=joe', '?search=joe%40globex.com', '?cursor=&search=joe'])(
    'search and its count stay inside the company: %s',
    async (query) => {
      const { data } = (await portal.get(`/api/contacts${query}`)).body;
      const expected = query.includes('globex') ? [] : [colleague];
      expect(data.items.map(({ id }: { id: string }) => id)).toEqual(expected);
      expect(data.total).toBe(expected.length);
    },
  );

  test('filtering by another company or a foreign e-mail finds nothing', async () => {
    const foreignCompany = (await service.api.get(`/api/contacts/${foreign}`)).body.data.company_id;
    expect(await listIds(portal, `?company_id=${foreignCompany}`)).toEqual([]);
    expect(await listIds(portal, '?email=joe@globex.com')).toEqual([]);
    expect(await listIds(portal, `?company_id=${acme}`)).toEqual([colleague, jane]);
  });

  test('a foreign contact is answered exactly like one that does not exist', async () => {
    const [theirs, nobodys] = [
      await portal.get(`/api/contacts/${foreign}`),
      await portal.get('/api/contacts/ct_00000000'),
    ];
    expect(theirs.status).toBe(404);
    expect(modulo(theirs.body, foreign)).toEqual(modulo(nobodys.body, 'ct_00000000'));
  });

  test('a contact without a company sees itself alone', async () => {
    const id = await createContact(service.api, { portal_access: 1 });
    const single = await as(id);
    const { data } = (await single.get('/api/contacts')).body;
    expect(data).toMatchObject({ total: 1, items: [{ id }] });
    expect((await single.get(`/api/contacts/${id}`)).status).toBe(200);
    expect((await single.get(`/api/contacts/${colleague}`)).status).toBe(404);
  });
});

describe('fields', () => {
  test('a whole contact has the portal fields and no others', async () => {
    const response = await portal.get(`/api/contacts/${colleague}`);
    expect(Object.keys(response.body.data).toSorted()).toEqual(PORTAL_FIELDS.toSorted());
    expect(response.text).not.toMatch(/secret|vip|website|boss/);
  });

  test('its ETag does not move with what it hides', async () => {
    const id = await createContact(service.api, { company_id: acme });
    const path = `/api/contacts/${id}`;
    const before = await portal.get(path);
    await service.sql(`UPDATE contact SET notes = 'other', engagement_score = 7 WHERE id = $1`, [id]);
    expect((await portal.get(path)).headers.etag).toBe(before.headers.etag);
    await service.sql('DELETE FROM contact WHERE id = $1', [id]);
  });

  test('every portal field can be chosen', async () => {
    const { data } = (await portal.get(`/api/contacts?fields=${PORTAL_FIELDS.join(',')}`)).body;
    expect(Object.keys(data.items[0])).toEqual(PORTAL_FIELDS);
  });
});

describe('what is hidden is answered exactly like what does not exist:', () => {
  const unknownLike = (name: string): string => 'q'.repeat(name.length);
  const compare = async (query: (name: string) => string, hidden: string): Promise<void> => {
    const unknown = unknownLike(hidden);
    const [one, other] = [
      await portal.get(`/api/contacts?${query(hidden)}`),
      await portal.get(`/api/contacts?${query(unknown)}`),
    ];
    expect(one.status).toBe(400);
    expect(modulo(one.body, hidden)).toEqual(modulo(other.body, unknown));
    for (const name of HIDDEN_FIELDS) expect(mentions(one.body, hidden)).not.toContain(name);
  };

  test.each(HIDDEN_FIELDS)('fields=%s', async (name) => {
    await compare((field) => `fields=id,${field}`, name);
    await compare((field) => `fields=${field}&sort=zzz&page=0&limit=x&limit=y`, name);
  });

  test.each(['engagement_score', 'source', 'notes', 'last_engagement_at'])('sort=%s', async (name) => {
    await compare((field) => `sort=${field}`, name);
    await compare((field) => `sort=-${field}&fields=zzz&unknown=1`, name);
  });

  test.each(['source', 'product', 'tag', 'pipeline_stage', 'funnel_stage', 'notes'])(
    '%s= as a filter',
    async (name) => {
      await compare((field) => `${field}=website`, name);
      await compare((field) => `${field}=`, name);
      await compare((field) => `${field}=${'x'.repeat(500)}`, name);
      await compare((field) => `${field}=a&${field}=b`, name);
      await compare((field) => `page=0&${field}=a&sort=zzz&portal_access=2`, name);
    },
  );
});

/** A failure with its own name taken out, and the hint, which is the visible name nearest to that name. */
function modulo(body: { error: { request_id?: string } }, name: string): unknown {
  const { request_id: _, ...error } = body.error;
  return JSON.parse(JSON.stringify(error), (_key, value: unknown) =>
    typeof value === 'string'
      ? value.replaceAll(name, '<name>').replace(/[;.]( did you mean "[\w<>]+"\?| choose from .*)?$/, '')
      : value,
  );
}

/** The words of a failure other than the name that was asked for. */
const mentions = (body: { error: object }, asked: string): string[] =>
  JSON.stringify(body.error).replaceAll(asked, '').match(/\w+/g) ?? [];
