// Entity tags of contacts and companies: reading only what has changed, changing only what is as it was read.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany, createContact, readContact } from '../support/factories.js';
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

test('an answer is kept by no shared cache', async () => {
  const response = await service.api.get(await contactPath());
  expect(response.headers['cache-control']).toBe('private, no-cache');
});
