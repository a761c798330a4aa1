// Companies over HTTP: what they answer, store and refuse.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { countRows, createCompany, createContact, insertRows } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());
beforeEach(() => service.sql('TRUNCATE contact, company CASCADE'));

const read = async (id: string) => (await service.api.get(`/api/companies/${id}`)).body.data;

const WHOLE = {
  name: 'Acme Corp',
  domain: 'acme.com',
  industry: 'Steel',
  employee_count: 120,
  revenue_range: '1M-10M',
  company_type: 'client',
  status: 'paused',
  product: 'crm',
  source: 'website',
  health_score: 80,
  monthly_revenue: 4500.5,
  total_contract_value: 9_999_999_999_999.99,
  notes: 'Line one\nline two',
};

describe('POST /api/companies', () => {
  test('answers id and name, and where the company is', async () => {
    const response = await service.api.post('/api/companies', { name: ' Acme Corp ' });
    expect(response.status).toBe(201);
    const { id } = response.body.data as { id: string };
    expect(id).toMatch(/^co_[a-z0-9]{8}$/);
    expect(response.text).toBe(`{"ok":true,"data":{"id":"${id}","name":"Acme Corp"}}`);
    expect(response.headers.location).toBe(`/api/companies/${id}`);
  });

  test('stores every field', async () => {
    const id = await createCompany(service.api, WHOLE);
    expect(await read(id)).toEqual({
      ...WHOLE,
      id,
      contacts_count: 0,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.any(String),
    });
  });

  test('fills in the defaults and leaves the rest null', async () => {
    const id = await createCompany(service.api, { name: 'Acme' });
    expect(await read(id)).toEqual({
      id,
      name: 'Acme',
      domain: null,
      industry: null,
      employee_count: null,
      revenue_range: null,
      company_type: 'prospect',
      status: 'active',
      product: null,
      source: 'manual',
      health_score: 50,
      monthly_revenue: null,
      total_contract_value: null,
      notes: null,
      contacts_count: 0,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
  });

  test.each<[string, object, string, string]>([
    ['no name', {}, 'name', 'required'],
    ['a null name', { name: null }, 'name', 'not_nullable'],
    ['a blank name', { name: ' \t' }, 'name', 'not_nullable'],
    ['a number for a name', { name: 5 }, 'name', 'wrong_type'],
    ['a name of 301 characters', { name: 'x'.repeat(301) }, 'name', 'too_long'],
    ['a name of two lines', { name: 'a\nb' }, 'name', 'bad_format'],
    ['half an employee', { name: 'x', employee_count: 0.5 }, 'employee_count', 'wrong_type'],
    ['fewer than no employees', { name: 'x', employee_count: -1 }, 'employee_count', 'out_of_range'],
    ['too many employees', { name: 'x', employee_count: 2 ** 31 }, 'employee_count', 'out_of_range'],
    ['a health of 101', { name: 'x', health_score: 101 }, 'health_score', 'out_of_range'],
    ['a health of -1', { name: 'x', health_score: -1 }, 'health_score', 'out_of_range'],
    ['no health', { name: 'x', health_score: null }, 'health_score', 'not_nullable'],
    ['thousandths', { name: 'x', monthly_revenue: 0.001 }, 'monthly_revenue', 'bad_format'],
    ['a debt', { name: 'x', monthly_revenue: -0.01 }, 'monthly_revenue', 'out_of_range'],
    ['ten trillion', { name: 'x', total_contract_value: 1e13 }, 'total_contract_value', 'out_of_range'],
    ['revenue as text', { name: 'x', monthly_revenue: '5' }, 'monthly_revenue', 'wrong_type'],
    ['a type that is no slug', { name: 'x', company_type: 'Big Client' }, 'company_type', 'bad_format'],
    ['no status', { name: 'x', status: null }, 'status', 'not_nullable'],
    ['an id of its own', { name: 'x', id: 'co_mine' }, 'id', 'unknown_field'],
    ['a count of its own', { name: 'x', contacts_count: 5 }, 'contacts_count', 'unknown_field'],
  ])('refuses %s', async (_what, body, field, code) => {
    const response = await service.api.post('/api/companies', body);
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual([{ field, code, message: expect.stringContaining(field) }]);
    expect(await countRows(service, 'company')).toBe(0);
  });
});

describe('PATCH /api/companies/:id', () => {
  test.each(Object.entries(WHOLE))('changes %s and nothing else', async (field, value) => {
    const id = await createCompany(service.api);
    const before = await read(id);
    const response = await service.api.patch(`/api/companies/${id}`, { [field]: value });
    expect(response.text).toBe(`{"ok":true,"data":{"id":"${id}","updated":true}}`);
    expect(await read(id)).toEqual({ ...before, [field]: value, updated_at: expect.any(String) });
  });

  test('clears what may be empty', async () => {
    const id = await createCompany(service.api, WHOLE);
    const { name, company_type, status, source, health_score, ...nullable } = WHOLE;
    const cleared = Object.fromEntries(Object.keys(nullable).map((field) => [field, null]));
    await service.api.patch(`/api/companies/${id}`, cleared);
    expect(await read(id)).toMatchObject({ ...cleared, name, company_type, status, source, health_score });
  });

  test.each(['name', 'company_type', 'status', 'source', 'health_score'])(
    'never clears %s',
    async (field) => {
      const id = await createCompany(service.api);
      const response = await service.api.patch(`/api/companies/${id}`, { [field]: null });
      expect(response.body.error.details).toEqual([expect.objectContaining({ field, code: 'not_nullable' })]);
    },
  );

  test('that names nothing is refused, and an unknown company is a 404', async () => {
    const id = await createCompany(service.api);
    const empty = await service.api.patch(`/api/companies/${id}`, {});
    expect([empty.status, empty.body.error.code]).toEqual([400, 'empty_patch']);
    expect((await service.api.patch('/api/companies/co_nothere', { name: 'x' })).status).toBe(404);
    expect((await service.api.get('/api/companies/co_nothere')).body.error.code).toBe('not_found');
  });
});

test('a company counts its own contacts', async () => {
  const id = await createCompany(service.api);
  const other = await createCompany(service.api);
  for (const company_id of [id, id, other]) await createContact(service.api, { company_id });
  expect((await read(id)).contacts_count).toBe(2);
});

test('an imported company is read, changed and referred to by its own id', async () => {
  await insertRows(service, 'company', [{ id: 'co_e5f6g7', name: 'Acme Corp', ...IMPORTED }]);
  await service.api.patch('/api/companies/co_e5f6g7', { industry: 'Steel' });
  await createContact(service.api, { company_id: 'co_e5f6g7' });
  expect(await read('co_e5f6g7')).toMatchObject({ name: 'Acme Corp', industry: 'Steel', contacts_count: 1 });
});

const IMPORTED = {
  company_type: 'client',
  status: 'active',
  source: 'import',
  health_score: 50,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
};
