// What portal users see and change of contacts and companies, beyond yes and no.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createContact, readContact } from '../support/factories.js';
import { type People, createPeople, nextEmail } from '../support/portal-users.js';
import { TestService } from '../support/service.js';

let service: TestService;
let people: People;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());
beforeEach(async () => {
  people = await createPeople(service);
});

const contact = (id: string): string => `/api/contacts/${id}`;
const company = (id: string): string => `/api/companies/${id}`;

describe('a portal user', () => {
  test('sees its company, with portal fields and no others, and totals that count nobody else', async () => {
    const { admin, viewer, colleague } = people;
    const mine = [admin.id, viewer.id, colleague].toSorted();
    const { items, total } = (await viewer.client.get('/api/contacts')).body.data;
    expect(items.map(({ id }: { id: string }) => id).toSorted()).toEqual(mine);
    expect(total).toBe(3);
    expect(Object.keys((await viewer.client.get(contact(colleague))).body.data)).toEqual([
      'id',
      'email',
      'first_name',
      'last_name',
      'full_name',
      'title',
      'department',
      'phone',
      'linkedin_url',
      'photo_url',
      'company_id',
      'company_name',
      'contact_type',
      'portal_access',
      'portal_role',
      'products',
      'created_at',
      'updated_at',
    ]);
  });

  test('without a company sees nobody but itself, not even others without one', async () => {
    const other = await createContact(service.api);
    const { items, total } = (await people.loner.client.get('/api/contacts')).body.data;
    expect({ ids: items.map(({ id }: { id: string }) => id), total }).toEqual({
      ids: [people.loner.id],
      total: 1,
    });
    expect((await people.loner.client.get(contact(other))).status).toBe(404);
    expect((await people.loner.client.get('/api/companies')).body.data).toMatchObject({
      items: [],
      total: 0,
    });
  });

  test('sees of its company what is fit for it, and counts one company', async () => {
    const { viewer, acme } = people;
    const fields = ['id', 'name', 'domain', 'industry', 'employee_count', 'created_at', 'updated_at'];
    const { items, total } = (await viewer.client.get('/api/companies')).body.data;
    expect({ total, fields: Object.keys(items[0]) }).toEqual({ total: 1, fields });
    const { data } = (await viewer.client.get(company(acme))).body;
    expect(data).toMatchObject({ id: acme, name: 'Acme Corp' });
    expect(Object.keys(data)).toEqual(fields);
  });

  test('is told who has an e-mail only if it sees that contact', async () => {
    const { admin, colleague, foreigner } = people;
    const emailOf = async (id: string) => (await readContact(service.api, id)).email;
    for (const write of [
      (email: string | null) => admin.client.post('/api/contacts', { email }),
      (email: string | null) => admin.client.patch(contact(people.viewer.id), { email }),
    ]) {
      const near = await write(await emailOf(colleague));
      expect(near.status).toBe(409);
      expect(near.body.error.details).toEqual([{ field: 'email', existing_id: colleague }]);
      const far = await write(await emailOf(foreigner));
      expect(far.status).toBe(409);
      expect(far.body.error).toEqual({
        code: 'email_taken',
        field: 'email',
        message: near.body.error.message,
        request_id: expect.any(String),
      });
    }
  });

  test('gets the same answer for a contact of another company as for none', async () => {
    const { admin, foreigner } = people;
    const answers = [];
    for (const id of [foreigner, 'ct_none0000']) {
      for (const response of [
        await admin.client.get(contact(id)),
        await admin.client.patch(contact(id), { phone: '1' }),
        await admin.client.patch(contact(id), { phone: '1' }, { headers: { 'if-match': '*' } }),
      ]) {
        answers.push(response.text.replaceAll(id, 'ID').replace(response.body.error.request_id, ''));
      }
    }
    expect(new Set(answers).size).toBe(1);
  });
});

describe('an administrator', () => {
  test('of no company is told so, and not that it is no administrator', async () => {
    const { status, body } = await people.loner.client.post('/api/contacts', { email: nextEmail() });
    expect([status, body.error.code, body.error.message]).toEqual([
      403,
      'forbidden',
      'Contacts are added to their own company, and this caller belongs to none.',
    ]);
  });

  test('adds contacts to its own company without naming it', async () => {
    const { body } = await people.admin.client.post('/api/contacts', {
      email: nextEmail(),
      full_name: 'New One',
    });
    expect(await readContact(service.api, body.data.id)).toMatchObject({
      company_id: people.acme,
      portal_access: 0,
    });
  });

  test('grants access, which works at once, and withdraws it, which works at once', async () => {
    const { admin, viewer } = people;
    expect((await admin.client.patch(contact(viewer.id), { portal_role: 'client_admin' })).status).toBe(200);
    expect((await viewer.client.post('/api/contacts', { email: nextEmail() })).status).toBe(201);
    expect((await admin.client.patch(contact(viewer.id), { portal_role: null })).status).toBe(200);
    expect((await viewer.client.post('/api/contacts', { email: nextEmail() })).status).toBe(403);
    expect((await admin.client.patch(contact(viewer.id), { portal_access: 0 })).status).toBe(200);
    expect((await viewer.client.get('/api/contacts')).status).toBe(401);
  });

  test('is bound to the company it has now, not to that of its token', async () => {
    const { admin, rival, foreigner, colleague } = people;
    await service.api.patch(contact(admin.id), { company_id: rival });
    expect((await admin.client.get(contact(colleague))).status).toBe(404);
    expect((await admin.client.patch(contact(foreigner), { title: 'Mine now' })).status).toBe(200);
  });

  test('patches under If-Match with the ETag of what it sees', async () => {
    const { admin, colleague } = people;
    const { headers } = await admin.client.get(contact(colleague));
    const patch = () =>
      admin.client.patch(contact(colleague), { title: 'A' }, { headers: { 'if-match': headers.etag ?? '' } });
    expect((await patch()).status).toBe(200);
    expect((await patch()).status).toBe(412);
  });
});
