// What creating and changing a contact does to it, field by field.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let company: string;
beforeAll(async () => {
  service = await TestService.start({ PORTAL_PRODUCTS: 'insights, crm' });
  company = await createCompany(service.api, { name: 'Acme Corp' });
});
afterAll(() => service.stop());

const create = (fields: object) => service.api.post('/api/contacts', fields);
const patch = (id: string, fields: object) => service.api.patch(`/api/contacts/${id}`, fields);

describe('a patch', () => {
  test('changes what it names, clears what it nulls and leaves the rest alone', async () => {
    const id = await createContact(service.api, { first_name: 'Jane', title: 'CEO', phone: '1', tags: 'a' });
    await patch(id, { title: null, tags: null, phone: '2' });
    expect(await readContact(service.api, id)).toMatchObject({
      first_name: 'Jane',
      title: null,
      tags: null,
      phone: '2',
    });
  });

  test('that names nothing is refused', async () => {
    const id = await createContact(service.api);
    const response = await patch(id, {});
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('empty_patch');
  });

  test('of an unknown contact is a 404', async () => {
    expect((await patch('ct_nobody00', { title: 'x' })).status).toBe(404);
  });

  test('moves updated_at and never created_at', async () => {
    const id = await createContact(service.api);
    await service.sql(
      `UPDATE contact SET created_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = $1`,
      [id],
    );
    await patch(id, { title: 'x' });
    const contact = await readContact(service.api, id);
    expect(contact.created_at).toBe('2020-01-01T00:00:00.000Z');
    expect(contact.updated_at > contact.created_at).toBe(true);
  });

  test('cannot set what the service itself keeps', async () => {
    const id = await createContact(service.api);
    for (const field of ['id', 'company_name', 'created_at', 'updated_at', 'products', 'search_text']) {
      const response = await patch(id, { [field]: 'x' });
      expect(response.body.error.details).toEqual([
        expect.objectContaining({ field, code: 'unknown_field' }),
      ]);
    }
  });
});

test.each(['contact_type', 'source', 'portal_access'])('%s cannot be null', async (field) => {
  const response = await create({ email: 'null@example.org', [field]: null });
  expect(response.status).toBe(400);
  expect(response.body.error.details).toEqual([
    { field, code: 'not_nullable', message: `${field} cannot be null.` },
  ]);
});

test('blank text counts as null, other text is trimmed', async () => {
  const id = await createContact(service.api, {
    first_name: '  ',
    last_name: ' Smith\t',
    notes: '\n',
    phone: '',
  });
  const contact = await readContact(service.api, id);
  expect(contact).toMatchObject({ first_name: null, last_name: 'Smith', notes: null, phone: null });
});

describe('the full name', () => {
  const values = [undefined, null, '', 'X'];
  const combinations = values.flatMap((full_name) =>
    values.flatMap((first_name) => values.map((last_name) => ({ full_name, first_name, last_name }))),
  );
  const model = (given: Record<string, string | null | undefined>): string | null =>
    given.full_name || [given.first_name, given.last_name].filter(Boolean).join(' ') || null;

  test('is the override, else first and last name, else null, in every combination of create and patch', async () => {
    const id = await createContact(service.api);
    let known: Record<string, string | null | undefined> = {};
    for (const [index, combination] of combinations.entries()) {
      const fields = Object.fromEntries(
        Object.entries(combination).map(([name, value]) => [name, value === 'X' ? `${name}${index}` : value]),
      );
      const created = await create({ company_id: company, ...fields });
      expect({ fields, full_name: created.body.data.full_name }).toEqual({
        fields,
        full_name: model(fields),
      });
      if (Object.values(fields).every((value) => value === undefined)) continue;
      expect((await patch(id, fields)).status).toBe(200);
      known = {
        ...known,
        ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
      };
      expect({ known, full_name: (await readContact(service.api, id)).full_name }).toEqual({
        known,
        full_name: model(known),
      });
    }
  });

  test('stays the override while the first name changes, and falls back when the override is cleared', async () => {
    const id = await createContact(service.api, {
      first_name: 'Jane',
      last_name: 'Smith',
      full_name: 'Dr Smith',
    });
    await patch(id, { first_name: 'Joan' });
    expect((await readContact(service.api, id)).full_name).toBe('Dr Smith');
    await patch(id, { full_name: null });
    expect((await readContact(service.api, id)).full_name).toBe('Joan Smith');
  });
});

describe('tags', () => {
  test.each([
    ['vip,newsletter', 'vip,newsletter'],
    [' vip , ,newsletter,vip,', 'vip,newsletter'],
    ['Ünï cödé,a b', 'Ünï cödé,a b'],
    [' , ,', null],
    ['', null],
    [null, null],
  ])('%j are kept as %j', async (sent, kept) => {
    const id = await createContact(service.api, { tags: sent });
    expect((await readContact(service.api, id)).tags).toBe(kept);
  });

  test('that name a configured product join the products, once and sorted', async () => {
    const id = await createContact(service.api, { product: 'other', tags: 'vip,insights,crm' });
    expect((await readContact(service.api, id)).products).toEqual(['crm', 'insights', 'other']);
    await patch(id, { product: 'crm', tags: 'crm' });
    expect((await readContact(service.api, id)).products).toEqual(['crm']);
    await patch(id, { product: null, tags: 'vip' });
    expect((await readContact(service.api, id)).products).toEqual([]);
  });
});

describe('portal access', () => {
  test('without a role becomes client_viewer', async () => {
    const id = await createContact(service.api, { portal_access: 1 });
    expect(await readContact(service.api, id)).toMatchObject({
      portal_access: 1,
      portal_role: 'client_viewer',
    });
    await patch(id, { portal_role: 'client_admin' });
    expect((await readContact(service.api, id)).portal_role).toBe('client_admin');
    await patch(id, { portal_role: null });
    expect((await readContact(service.api, id)).portal_role).toBe('client_viewer');
  });

  test('keeps the role that was given before', async () => {
    const id = await createContact(service.api, { portal_role: 'client_admin' });
    await patch(id, { portal_access: 1 });
    expect((await readContact(service.api, id)).portal_role).toBe('client_admin');
  });

  test('needs an e-mail, at once and ever after', async () => {
    const without = await create({ company_id: company, portal_access: 1 });
    expect(without.status).toBe(400);
    expect(without.body.error).toMatchObject({ code: 'portal_access_needs_email', field: 'portal_access' });
    const id = await createContact(service.api, {
      company_id: company,
      email: 'portal@example.org',
      portal_access: 1,
    });
    const cleared = await patch(id, { email: null });
    expect(cleared.body.error.code).toBe('portal_access_needs_email');
    expect((await patch(id, { email: null, portal_access: 0 })).status).toBe(200);
  });

  test.each([2, -1, 0.5, '1', true, null])('is nothing but 0 and 1: not %j', async (portal_access) => {
    const response = await create({ email: 'flag@example.org', portal_access });
    expect(response.status).toBe(400);
    expect(response.body.error.field).toBe('portal_access');
  });

  test.each(['admin', '', 'CLIENT_ADMIN', 1])('has no role %j', async (portal_role) => {
    const response = await create({ email: 'role@example.org', portal_role });
    expect(response.status).toBe(400);
    expect(response.body.error.field).toBe('portal_role');
  });
});

describe('a contact has an e-mail or a company', () => {
  test.each([{}, { first_name: 'Jane' }, { email: null }, { email: null, company_id: null }])(
    'so %j is refused',
    async (fields) => {
      const response = await create(fields);
      expect(response.status).toBe(400);
      expect(response.body.error.code).toBe('email_or_company_required');
    },
  );

  test('which is named among other faults, too', async () => {
    const faultsOf = async (fields: object) => {
      const { status, body } = await create({ title: 5, ...fields });
      expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
      return (body.error.details as { field: string; code: string }[])
        .map(({ field, code }) => `${field} ${code}`)
        .filter((fault) => fault !== 'title wrong_type');
    };
    expect(await faultsOf({})).toEqual(['email email_or_company_required']);
    expect(await faultsOf({ company_id: company, portal_access: 1 })).toEqual([
      'portal_access portal_access_needs_email',
    ]);
    expect(await faultsOf({ email: 'jane' })).toEqual(['email bad_format']);
    expect(await faultsOf({ email: 'jane@acme.test', portal_access: 1 })).toEqual([]);
    expect(await faultsOf({ company_id: company })).toEqual([]);
  });

  test('nor alone, when portal access lacks it as well', async () => {
    const { status, body } = await create({ portal_access: 1 });
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.error.details.map(({ code }: { code: string }) => code)).toEqual([
      'email_or_company_required',
      'portal_access_needs_email',
    ]);
  });

  test('and a patch cannot take the last of them away', async () => {
    const mailOnly = await createContact(service.api);
    const refused = await patch(mailOnly, { email: null });
    expect(refused.body.error.code).toBe('email_or_company_required');
    expect((await patch(mailOnly, { email: null, company_id: company })).status).toBe(200);
    expect((await patch(mailOnly, { company_id: null })).body.error.code).toBe('email_or_company_required');
  });

  test('and the company must exist', async () => {
    const created = await create({ email: 'nocompany@example.org', company_id: 'co_nothere' });
    expect(created.status).toBe(422);
    expect(created.body.error).toMatchObject({ code: 'company_not_found', field: 'company_id' });
    const id = await createContact(service.api);
    expect((await patch(id, { company_id: 'co_nothere' })).status).toBe(422);
    expect((await readContact(service.api, id)).company_id).toBeNull();
  });
});
