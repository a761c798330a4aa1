// Entity tags of contacts and companies: reading only what has changed, changing only what is as it was read.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { createPeople } from '../support/portal-users.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const etagOf = async (path: string): Promise<string> => (await service.api.get(path)).headers.etag ?? '';
const contactPath = async (fields: object = {}): Promise<string> =>
  `/api/contacts/${await createContact(service.api, fields)}`;
const companyPath = async (): Promise<string> => `/api/companies/${await createCompany(service.api)}`;

describe.each([
  ['a contact', contactPath, { title: 'CEO' }],
  ['a company', companyPath, { industry: 'Steel' }],
])('%s', (_what, create, change) => {
  test('has a strong tag that stays until it changes', async () => {
    const path = await create();
    const before = await etagOf(path);
    expect(before).toMatch(/^"[\w-]{20,}"$/);
    expect(await etagOf(path)).toBe(before);
    await service.api.patch(path, change);
    expect(await etagOf(path)).not.toBe(before);
  });

  test('is not sent again to who has it', async () => {
    const path = await create();
    const etag = await etagOf(path);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await service.api.get(path, { headers: { 'if-none-match': known } });
      expect(response.status).toBe(304);
      expect(response.text).toBe('');
      expect(response.headers.etag).toBe(etag);
    }
    expect((await service.api.get(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    await service.api.patch(path, change);
    expect((await service.api.get(path, { headers: { 'if-none-match': etag } })).status).toBe(200);
  });

  test('is changed under If-Match only while it is as it was read', async () => {
    const path = await create();
    const etag = await etagOf(path);
    const first = await service.api.patch(path, change, { headers: { 'if-match': `"other", ${etag}` } });
    expect(first.status).toBe(200);
    const { body: before } = await service.api.get(path);
    for (const stale of [etag, '"other"', `W/${await etagOf(path)}`, '']) {
      const response = await service.api.patch(
        path,
        { notes: 'too late' },
        { headers: { 'if-match': stale } },
      );
      expect(response.status).toBe(412);
      expect(response.body.error.code).toBe('precondition_failed');
    }
    expect((await service.api.get(path)).body).toEqual(before);
    expect((await service.api.patch(path, change, { headers: { 'if-match': '*' } })).status).toBe(200);
  });

  test('that is unknown is a 404, If-Match or not', async () => {
    const path = (await create()).replace(/_.*/, '_nothere0');
    expect((await service.api.patch(path, change, { headers: { 'if-match': '*' } })).status).toBe(404);
    expect((await service.api.get(path, { headers: { 'if-none-match': '*' } })).status).toBe(404);
  });

  test('of two changes under the same tag only one lands', async () => {
    const path = await create();
    const headers = { 'if-match': await etagOf(path) };
    const answers = await Promise.all(
      ['one', 'two', 'three', 'four'].map((notes) => service.api.patch(path, { notes }, { headers })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412, 412, 412]);
  });
});

test('renaming the company shows in its contacts at once, and in their tags', async () => {
  const company_id = await createCompany(service.api, { name: 'Old name' });
  const path = await contactPath({ company_id });
  const before = await etagOf(path);
  await service.api.patch(`/api/companies/${company_id}`, { name: 'New name' });
  const list = await service.api.get(`/api/contacts?company_id=${company_id}`);
  expect(list.body.data.items[0].company_name).toBe('New name');
  expect((await readContact(service.api, path.split('/').at(-1) ?? '')).company_name).toBe('New name');
  const response = await service.api.get(path, { headers: { 'if-none-match': before } });
  expect(response.status).toBe(200);
});

describe('a refused change', () => {
  const stale = async (path: string, etag: string, client = service.api): Promise<unknown> => {
    const response = await client.patch(path, { phone: '1' }, { headers: { 'if-match': etag } });
    expect(response.status).toBe(412);
    return (response.body.error.details as { field: string }[] | undefined)?.map(({ field }) => field);
  };

  test('names the fields of a contact that differ from what was read', async () => {
    const path = await contactPath({ first_name: 'Jane', last_name: 'Smith', notes: 'a', tags: 'vip' });
    const etag = await etagOf(path);
    await service.api.patch(path, { notes: 'b', tags: null });
    const response = await service.api.patch(path, { phone: '1' }, { headers: { 'if-match': etag } });
    expect(response.body.error.details).toEqual([
      { field: 'tags', code: 'changed', message: 'tags has changed.' },
      { field: 'notes', code: 'changed', message: 'notes has changed.' },
    ]);
    await service.api.patch(path, { first_name: 'June', enrichment_data: { employees: 3 } });
    expect(await stale(path, etag)).toEqual(['first_name', 'full_name', 'enrichment_data', 'tags', 'notes']);
  });

  test('names every field that any change can reach, each alone', async () => {
    const changes = {
      title: 'CEO', role: 'buyer', department: 'Board', phone: '2', contact_type: 'lead', source: 'import',
      pipeline_stage: 'a', funnel_stage: 'b', engagement_score: 0.5, last_engagement_at: '2026-01-31T12:00:00.000Z',
      enrichment_status: 'done', enrichment_data: {}, linkedin_url: 'https://a.test/', photo_url: 'https://b.test/',
      close_lead_id: 'l', close_contact_id: 'c', tags: 'x', notes: 'n', portal_role: 'client_admin',
      email: 'only@acme.com',
    }; // prettier-ignore
    const path = await contactPath();
    for (const [field, value] of Object.entries(changes)) {
      const etag = await etagOf(path);
      expect((await service.api.patch(path, { [field]: value })).status).toBe(200);
      expect(await stale(path, etag)).toEqual([field]);
    }
  });

  test.each(['":', ',"', '\\"}', '\\', '\\\\"', '{"a":[', ']}', '日本 ":,', 'é"😀:'])(
    'is told by the right names, whatever %j in a value looks like',
    async (odd) => {
      const path = await contactPath({ title: 'CEO', notes: odd + odd });
      await service.api.patch(path, { enrichment_data: { [odd]: [odd] } });
      const etag = await etagOf(path);
      await service.api.patch(path, { notes: `${odd}.` });
      expect(await stale(path, etag)).toEqual(['notes']);
      await service.api.patch(path, { enrichment_data: { [odd]: [odd, {}] } });
      expect(await stale(path, etag)).toEqual(['enrichment_data', 'notes']);
      await service.api.patch(path, { portal_access: 0, linkedin_url: 'https://a.test/' });
      expect(await stale(path, etag)).toEqual(['enrichment_data', 'linkedin_url', 'notes']);
    },
  );

  test('calls a renamed company company_name', async () => {
    const company_id = await createCompany(service.api, { name: 'Old name' });
    const path = await contactPath({ company_id });
    const etag = await etagOf(path);
    await service.api.patch(`/api/companies/${company_id}`, { name: 'New name' });
    expect(await stale(path, etag)).toEqual(['company_name']);
  });

  test('names the fields of a company, too', async () => {
    const path = await companyPath();
    const headers = { 'if-match': await etagOf(path) };
    await service.api.patch(path, { domain: 'acme.com', health_score: 0 });
    await createContact(service.api, { company_id: path.split('/').at(-1) });
    const response = await service.api.patch(path, { notes: 'x' }, { headers });
    const named = (response.body.error.details as { field: string }[]).map(({ field }) => field);
    expect(named).toEqual(['domain', 'health_score', 'contacts_count']);
  });

  test('names nothing when the tag is not one of ours, or all fields are as they were', async () => {
    const path = await contactPath({ title: 'CEO' });
    const etag = await etagOf(path);
    await service.api.patch(path, { title: 'CTO' });
    const others = ['"other"', `W/${etag}`, `"${etag.slice(1, 28)}"`, `${etag.slice(0, -5)}"`, `"a", "b"`];
    for (const other of others) expect(await stale(path, other)).toBeUndefined();
    await service.api.patch(path, { title: 'CEO' });
    expect(await stale(path, etag)).toBeUndefined();
  });

  test('tells a portal user only of fields that exist for it, and a key that may not read of none', async () => {
    const { acme, admin, colleague } = await createPeople(service);
    const path = `/api/contacts/${colleague}`;
    const etag = (await admin.client.get(path)).headers.etag ?? '';
    await service.api.patch(path, { notes: 'secret', tags: 'secret', source: 'secret', title: 'CEO' });
    await service.api.patch(`/api/companies/${acme}`, { name: 'Acme Inc', notes: 'secret' });
    expect(await stale(path, etag, admin.client)).toEqual(['title', 'company_name']);

    const writer = await service.withScopes('contacts:write', 'companies:write');
    const read = await etagOf(path);
    await service.api.patch(path, { title: 'CTO' });
    expect(await stale(path, read, writer)).toBeUndefined();
    const company = await etagOf(`/api/companies/${acme}`);
    await service.api.patch(`/api/companies/${acme}`, { name: 'Acme' });
    const headers = { 'if-match': company };
    const response = await writer.patch(`/api/companies/${acme}`, { notes: 'x' }, { headers });
    expect([response.status, response.body.error.details]).toEqual([412, undefined]);
  });
});

test('an answer is kept by no shared cache', async () => {
  const response = await service.api.get(await contactPath());
  expect(response.headers['cache-control']).toBe('private, no-cache');
});
