// The examples of the HTTP contract, literally.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createContact, insertRows, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());
beforeEach(async () => {
  await service.sql('TRUNCATE contact, company CASCADE');
  await insertRows(service, 'company', [{ id: 'co_e5f6g7', name: 'Acme Corp', company_type: 'client' }]);
});

describe('GET /api/contacts', () => {
  test('answers the documented page, to the byte', async () => {
    const rows = Array.from({ length: 120 }, (_, index) => ({
      id: index === 119 ? 'ct_a1b2c3d4' : `ct_x${index}`,
      email: index === 119 ? 'jane@acme.com' : `person${index}@acme.com`,
      first_name: 'Jane',
      last_name: 'Smith',
      company_id: 'co_e5f6g7',
      contact_type: 'client',
      source: 'manual',
      portal_access: 1,
      portal_role: 'client_admin',
      created_at: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
      updated_at: '2026-01-01T00:00:00Z',
    }));
    await insertRows(service, 'contact', rows);
    const response = await service.api.get('/api/contacts');
    expect(response.status).toBe(200);
    expect(response.body.data.items).toHaveLength(25);
    expect(response.text.slice(0, response.text.indexOf('},{') + 1)).toBe(
      '{"ok":true,"data":{"items":[{"id":"ct_a1b2c3d4","email":"jane@acme.com","full_name":"Jane Smith",' +
        '"company_id":"co_e5f6g7","company_name":"Acme Corp","contact_type":"client",' +
        '"portal_access":1,"portal_role":"client_admin"}',
    );
    expect(response.text.slice(response.text.indexOf('],'))).toBe(
      '],"total":120,"page":1,"limit":25,"hasMore":true}}',
    );
  });

  test('begins with the contact just created', async () => {
    await createContact(service.api);
    await createContact(service.api);
    const id = await createContact(service.api);
    expect((await service.api.get('/api/contacts')).body.data).toMatchObject({
      items: [{ id }, {}, {}],
      total: 3,
    });
  });

  test('answers an empty list as a page, too', async () => {
    const response = await service.api.get('/api/contacts');
    expect(response.body).toEqual({
      ok: true,
      data: { items: [], total: 0, page: 1, limit: 25, hasMore: false },
    });
  });

  test('takes the six documented parameters together', async () => {
    await createContact(service.api, {
      email: 'jane@acme.com',
      company_id: 'co_e5f6g7',
      contact_type: 'client',
      source: 'website',
    });
    await createContact(service.api, { company_id: 'co_e5f6g7', contact_type: 'client', source: 'website' });
    const query = '?company_id=co_e5f6g7&type=client&source=website&search=jane&page=1&limit=100';
    const response = await service.api.get(`/api/contacts${query}`);
    expect(response.body.data).toMatchObject({ total: 1, limit: 100, hasMore: false });
    expect(response.body.data.items).toEqual([expect.objectContaining({ email: 'jane@acme.com' })]);
  });
});

describe('POST /api/contacts', () => {
  test('answers id, full_name and email, and where the contact is', async () => {
    const response = await service.api.post('/api/contacts', {
      email: 'jane@acme.com',
      first_name: 'Jane',
      last_name: 'Smith',
    });
    expect(response.status).toBe(201);
    const { id } = response.body.data as { id: string };
    expect(id).toMatch(/^ct_[a-z0-9]{8}$/);
    expect(response.text).toBe(
      `{"ok":true,"data":{"id":"${id}","full_name":"Jane Smith","email":"jane@acme.com"}}`,
    );
    expect(response.headers.location).toBe(`/api/contacts/${id}`);
  });

  test('stores every documented field', async () => {
    const sent = {
      email: 'jane@acme.com',
      company_id: 'co_e5f6g7',
      first_name: 'Jane',
      last_name: 'Smith',
      full_name: 'Dr Jane Smith',
      title: 'Head of Sales',
      role: 'buyer',
      department: 'Sales',
      phone: '+44 20 7946 0000',
      contact_type: 'investor',
      source: 'website',
      pipeline_stage: 'qualified',
      funnel_stage: 'aware',
      linkedin_url: 'https://www.linkedin.com/in/jane',
      tags: 'vip,newsletter',
      notes: 'Met in London.\nLikes tea.',
      portal_access: 1,
      portal_role: 'client_admin',
      product: 'insights',
    };
    const id = await createContact(service.api, sent);
    const contact = await readContact(service.api, id);
    expect(contact).toEqual({
      ...sent,
      id,
      company_name: 'Acme Corp',
      products: ['insights'],
      engagement_score: null,
      last_engagement_at: null,
      enrichment_status: null,
      enrichment_data: null,
      photo_url: null,
      close_lead_id: null,
      close_contact_id: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: contact.created_at,
    });
  });

  test('fills in the documented defaults and leaves the rest null', async () => {
    const id = await createContact(service.api, { email: 'jane@acme.com' });
    const { created_at, updated_at, ...contact } = await readContact(service.api, id);
    const given = {
      id,
      email: 'jane@acme.com',
      contact_type: 'end_user',
      source: 'manual',
      portal_access: 0,
      products: [],
    };
    expect(contact).toEqual({
      ...Object.fromEntries(Object.keys(contact).map((name) => [name, null])),
      ...given,
    });
    expect(Date.parse(created_at)).toBe(Date.parse(updated_at));
  });

  test.each(['lead', 'client', 'candidate', 'investor', 'end_user', 'press-contact_2'])(
    'takes the contact_type %s: the vocabulary is open',
    async (contact_type) => {
      const id = await createContact(service.api, { contact_type });
      expect((await readContact(service.api, id)).contact_type).toBe(contact_type);
    },
  );

  test('needs a company only when there is no e-mail', async () => {
    const response = await service.api.post('/api/contacts', { company_id: 'co_e5f6g7' });
    expect(response.status).toBe(201);
    expect(response.body.data).toEqual({ id: expect.any(String), full_name: null, email: null });
  });
});

describe('PATCH /api/contacts/:id', () => {
  test('grants portal access exactly as documented', async () => {
    const row = { id: 'ct_a1b2c3d4', email: 'jane@acme.com', contact_type: 'client', source: 'manual' };
    await insertRows(service, 'contact', [
      { ...row, portal_access: 0, created_at: '2026-01-31T12:00:00Z', updated_at: '2026-01-31T12:00:00Z' },
    ]);
    const response = await service.api.patch('/api/contacts/ct_a1b2c3d4', {
      portal_access: 1,
      portal_role: 'client_admin',
    });
    expect(response.status).toBe(200);
    expect(response.text).toBe('{"ok":true,"data":{"id":"ct_a1b2c3d4","updated":true}}');
    const contact = await readContact(service.api, 'ct_a1b2c3d4');
    expect(contact).toMatchObject({ portal_access: 1, portal_role: 'client_admin' });
    expect(contact.created_at).toBe('2026-01-31T12:00:00.000Z');
    expect(contact.updated_at > contact.created_at).toBe(true);
  });

  test.each([
    ['company_id', 'co_e5f6g7'],
    ['email', 'new@acme.com'],
    ['first_name', 'Joan'],
    ['last_name', 'Smythe'],
    ['full_name', 'J. S.'],
    ['title', 'CEO'],
    ['role', 'decider'],
    ['department', 'Board'],
    ['phone', '+1 555 0100'],
    ['contact_type', 'candidate'],
    ['source', 'referral'],
    ['pipeline_stage', 'won'],
    ['funnel_stage', 'decided'],
    ['engagement_score', 12.5],
    ['last_engagement_at', '2026-01-31T12:00:00.000Z'],
    ['enrichment_status', 'done'],
    ['enrichment_data', { provider: 'x', scores: [1, 2.5], nested: { a: null } }],
    ['linkedin_url', 'https://www.linkedin.com/in/joan'],
    ['photo_url', 'https://cdn.acme.com/joan.png'],
    ['close_lead_id', 'lead_1'],
    ['close_contact_id', 'cont_1'],
    ['tags', 'a,b'],
    ['notes', 'Line one\nline two'],
    ['portal_access', 1],
    ['portal_role', 'client_viewer'],
    ['product', 'insights'],
  ])('changes %s and nothing else', async (field, value) => {
    const id = await createContact(service.api, { first_name: 'Jane', last_name: 'Smith' });
    const before = await readContact(service.api, id);
    const response = await service.api.patch(`/api/contacts/${id}`, { [field]: value });
    expect(response.body).toEqual({ ok: true, data: { id, updated: true } });
    const after: object = await readContact(service.api, id);
    const follows: Record<string, object> = {
      company_id: { company_name: 'Acme Corp' },
      first_name: { full_name: 'Joan Smith' },
      last_name: { full_name: 'Jane Smythe' },
      portal_access: { portal_role: 'client_viewer' },
      product: { products: ['insights'] },
    };
    expect(after).toEqual({ ...before, [field]: value, ...follows[field], updated_at: expect.any(String) });
  });
});

test('an imported id stays valid everywhere', async () => {
  await insertRows(service, 'company', [{ id: 'co_1', name: 'Short', company_type: 'client' }]);
  const id = await createContact(service.api, { company_id: 'co_e5f6g7' });
  expect((await service.api.patch(`/api/contacts/${id}`, { company_id: 'co_1' })).status).toBe(200);
  expect((await readContact(service.api, id)).company_name).toBe('Short');
  const list = await service.api.get('/api/contacts?company_id=co_1');
  expect(list.body.data.total).toBe(1);
});

test('every answer names its request, by the caller’s own name if it is sane', async () => {
  const own = await service.api.get('/api/contacts', { headers: { 'x-request-id': 'trace-0123456789' } });
  expect(own.headers['x-request-id']).toBe('trace-0123456789');
  const insane = await service.api.get('/api/contacts', { headers: { 'x-request-id': 'a b' } });
  expect(insane.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
  const failed = await service.api.get('/api/contacts/ct_none', {
    headers: { 'x-request-id': 'trace-0123456789' },
  });
  expect(failed.body.error.request_id).toBe('trace-0123456789');
});
