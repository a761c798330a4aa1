// Idempotency-Key: the same request with the same key is done once and answered the same, whoever loses an answer.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { createPeople } from '../support/portal-users.js';
import { type Client, TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const under = (key: string, more: object = {}) => ({ headers: { 'idempotency-key': key, ...more } });
const retry = { 'idempotency-replayed': 'true' };

/** What must not differ between an answer and its replay. */
const answerOf = ({ status, text, headers }: Response): object => ({
  status,
  text,
  location: headers.location,
});

async function countOf(table: string): Promise<number> {
  const [row] = await service.sql<{ count: number }>(`SELECT count(*)::int FROM ${table}`);
  return row?.count ?? 0;
}

type Send = (client: Client, key: string, variant: string) => Promise<Response>;

const ROUTES: [string, string, () => Promise<Send>][] = [
  ['POST /api/contacts', 'contact', async () => (client, key, variant) =>
      client.post('/api/contacts', { email: `${variant}${key}@acme.com`, first_name: 'Jane' }, under(key))],
  ['POST /api/companies', 'company', async () => (client, key, variant) =>
      client.post('/api/companies', { name: variant }, under(key))],
  ['POST /api/keys', 'api_key', async () => (client, key, variant) =>
      client.post('/api/keys', { name: variant, scopes: ['contacts:read'] }, under(key))],
  ['PATCH /api/contacts/:id', 'auth_audit_log', async () => {
      const path = `/api/contacts/${await createContact(service.api)}`;
      const role = (variant: string) => (variant === 'a' ? 'client_admin' : 'client_viewer');
      return (client, key, variant) =>
        client.patch(path, { portal_access: 1, portal_role: role(variant) }, under(key));
    }],
  ['PATCH /api/companies/:id', 'company', async () => {
      const path = `/api/companies/${await createCompany(service.api)}`;
      return (client, key, variant) => client.patch(path, { notes: variant }, under(key));
    }],
  ['POST /api/keys/:id/rotate', 'auth_audit_log', async () => {
      const { body } = await service.api.post('/api/keys', { name: 'rotated', scopes: ['contacts:read'] });
      return (client, key, variant) =>
        client.post(`/api/keys/${body.data.id}/rotate`, { overlap_seconds: variant.length }, under(key));
    }],
  ['PATCH /api/keys/:id', 'auth_audit_log', async () => {
      const { body } = await service.api.post('/api/keys', { name: 'limited', scopes: ['contacts:read'] });
      const limit = (variant: string) => (variant === 'a' ? 100 : 200);
      return (client, key, variant) =>
        client.patch(`/api/keys/${body.data.id}`, { rate_limit: limit(variant) }, under(key));
    }],
]; // prettier-ignore

describe.each(ROUTES)('%s', (_route, table, prepare) => {
  test('is done once, and answered to each retry as it was the first time', async () => {
    const send = await prepare();
    const key = randomUUID();
    const first = await send(service.api, key, 'a');
    expect(first.status).toBeLessThan(300);
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    const rows = await countOf(table);
    for (const again of [await send(service.api, key, 'a'), await send(service.api, key, 'a')]) {
      expect(answerOf(again)).toEqual(answerOf(first));
      expect(again.headers).toMatchObject(retry);
      expect(again.headers['cache-control']).toBe(first.headers['cache-control']);
    }
    expect(await countOf(table)).toBe(rows);
  });

  test('is a 422 with another body, which changes nothing, and with another key a new request', async () => {
    const send = await prepare();
    const key = randomUUID();
    await send(service.api, key, 'a');
    const rows = await countOf(table);
    const other = await send(service.api, key, 'bb');
    expect([other.status, other.body.error.code]).toEqual([422, 'idempotency_key_reused']);
    expect(await countOf(table)).toBe(rows);
    expect((await send(service.api, key, 'a')).headers).toMatchObject(retry);
    const fresh = await send(service.api, randomUUID(), 'bb');
    expect(fresh.status).toBeLessThan(300);
    expect(fresh.headers).not.toHaveProperty('idempotency-replayed');
  });

  test.each([
    ['empty', ''],
    ['too long', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['sent twice', 'a, b'],
    ['beyond ASCII', 'schlüssel'],
  ])('refuses a key that is %s', async (_fault, key) => {
    const response = await (await prepare())(service.api, key, 'a');
    expect([response.status, response.body.error.code]).toEqual([400, 'invalid_request']);
    expect(response.body.error.details).toEqual([
      {
        field: 'Idempotency-Key',
        code: 'bad_format',
        message: 'Idempotency-Key must be 1 to 255 visible ASCII characters, sent once.',
      },
    ]);
  });
});

test('a key may have 255 characters and the quotes of the IETF draft', async () => {
  for (const key of ['~'.repeat(255), '"8e03978e-40d5-43dd-bc93-6894a57f9324"', '!']) {
    const send = () => service.api.post('/api/companies', { name: 'x' }, under(key));
    const first = await send();
    expect(answerOf(await send())).toEqual(answerOf(first));
  }
});

test('the same JSON in other white space is the same request; another path or method is another', async () => {
  const [one, two] = [await createContact(service.api), await createContact(service.api)];
  const key = randomUUID();
  await service.api.patch(`/api/contacts/${one}`, '{"title":"CEO"}', under(key));
  const spaced = await service.api.patch(`/api/contacts/${one}`, '{ "title" : "CEO" }', under(key));
  expect(spaced.headers).toMatchObject(retry);
  const elsewhere = await service.api.patch(`/api/contacts/${two}`, '{"title":"CEO"}', under(key));
  expect([elsewhere.status, elsewhere.body.error.code]).toEqual([422, 'idempotency_key_reused']);
  const created = await service.api.post('/api/contacts', { email: 'other-method@acme.com' }, under(key));
  expect(created.status).toBe(422);
  expect((await readContact(service.api, two)).title).toBeNull();
});

test('a key is its caller’s own: an API key’s, or a signed-in contact’s', async () => {
  const { admin, viewer, colleague } = await createPeople(service);
  const other = await service.withScopes('contacts:write');
  const key = randomUUID();
  const path = `/api/contacts/${colleague}`;
  expect((await service.api.patch(path, { title: 'one' }, under(key))).status).toBe(200);
  expect((await other.patch(path, { title: 'two' }, under(key))).status).toBe(200);
  expect((await admin.client.patch(path, { title: 'three' }, under(key))).status).toBe(200);
  const own = await viewer.client.patch(`/api/contacts/${viewer.id}`, { phone: '1' }, under(key));
  expect([own.status, own.headers['idempotency-replayed']]).toEqual([200, undefined]);
  expect((await readContact(service.api, colleague)).title).toBe('three');
  expect((await admin.client.patch(path, { title: 'three' }, under(key))).headers).toMatchObject(retry);
});

test('a change under If-Match is answered to its retry although the tag is stale by then', async () => {
  const path = `/api/contacts/${await createContact(service.api)}`;
  const etag = (await service.api.get(path)).headers.etag;
  const key = randomUUID();
  const send = (tag: string | undefined) =>
    service.api.patch(path, { title: 'CEO' }, under(key, { 'if-match': tag }));
  const first = await send(etag);
  expect(first.status).toBe(200);
  for (const again of [await send(etag), await send('"newer"')]) {
    expect(answerOf(again)).toEqual(answerOf(first));
    expect(again.headers).toMatchObject(retry);
  }
});

test('a portal administrator’s write is recorded once', async () => {
  const { acme, admin } = await createPeople(service);
  const key = randomUUID();
  const body = { email: 'invited@acme.com', portal_access: 1 };
  const first = await admin.client.post('/api/contacts', body, under(key));
  expect(first.status).toBe(201);
  expect(answerOf(await admin.client.post('/api/contacts', body, under(key)))).toEqual(answerOf(first));
  const audit = await service.api.get(`/api/audit?subject_id=${first.body.data.id}`);
  expect((audit.body.data.items as object[]).length).toBe(1);
  expect((await readContact(service.api, first.body.data.id as string)).company_id).toBe(acme);
});
