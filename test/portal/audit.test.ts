// The audit log: who did what to keys and to portal access, when and from where; for good.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany, createContact } from '../support/factories.js';
import { type People, createPeople, nextEmail } from '../support/portal-users.js';
import { runEntry } from '../support/process.js';
import { type Client, TestService } from '../support/service.js';

let service: TestService;
let people: People;
let keyId: string;
beforeAll(async () => {
  service = await TestService.start({ TRUST_PROXY: '127.0.0.1' });
  people = await createPeople(service);
  keyId = (await service.api.get('/api/keys')).body.data.items[0].id;
});
afterAll(() => service.stop());

interface Entry {
  id: number;
  at: string;
  event: string;
  actor: { kind: string; id: string | null };
  subject_id: string;
  client_address: string | null;
  request_id: string | null;
  details: object;
}

async function entries(query: string, client: Client = service.api): Promise<Entry[]> {
  const { status, body } = await client.get(`/api/audit?${query}`);
  expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
  return body.data.items as Entry[];
}

/** What happened to a subject's access, the oldest first. */
async function story(subject: string): Promise<[event: string, actor: string, details: object][]> {
  const told = (await entries(`subject_id=${subject}`)).filter(({ event }) => event.startsWith('portal_'));
  return told.toReversed().map(({ event, actor, details }) => [event, `${actor.kind} ${actor.id}`, details]);
}

const patch = (client: Client, id: string, body: object) => client.patch(`/api/contacts/${id}`, body);

describe('portal access', () => {
  test('granted, changed and withdrawn by a key is recorded, each once, and nothing else is', async () => {
    const id = await createContact(service.api);
    for (const body of [
      { portal_role: 'client_viewer' },
      { portal_access: 1 },
      { portal_access: 1, portal_role: 'client_viewer', title: 'x' },
      { portal_role: 'client_admin' },
      { title: 'y' },
      { portal_role: null },
      { portal_access: 0, portal_role: 'client_admin' },
      { portal_access: 1 },
    ]) {
      expect((await patch(service.api, id, body)).status).toBe(200);
    }
    const by = `key ${keyId}`;
    expect(await story(id)).toEqual([
      ['portal_access_granted', by, { role: 'client_viewer' }],
      ['portal_role_changed', by, { from: 'client_viewer', to: 'client_admin' }],
      ['portal_role_changed', by, { from: 'client_admin', to: 'client_viewer' }],
      ['portal_access_withdrawn', by, {}],
      ['portal_access_granted', by, { role: 'client_admin' }],
    ]);
  });

  test('that another address or company comes by is recorded, without the address', async () => {
    const id = await createContact(service.api);
    const [one, other] = [await createCompany(service.api), await createCompany(service.api)];
    for (const body of [
      { email: nextEmail(), company_id: one },
      { portal_access: 1 },
      { email: nextEmail(), company_id: one },
      { company_id: other },
      { company_id: null, portal_role: 'client_admin' },
      { company_id: one, email: nextEmail(), portal_access: 0 },
      { email: nextEmail(), company_id: other },
    ]) {
      expect((await patch(service.api, id, body)).status).toBe(200);
    }
    const by = `key ${keyId}`;
    expect(await story(id)).toEqual([
      ['portal_access_granted', by, { role: 'client_viewer' }],
      ['portal_email_changed', by, {}],
      ['portal_company_changed', by, { from: one, to: other }],
      ['portal_role_changed', by, { from: 'client_viewer', to: 'client_admin' }],
      ['portal_company_changed', by, { from: other, to: null }],
      ['portal_access_withdrawn', by, {}],
    ]);
  });

  test('granted with the contact itself is recorded; without access nothing is', async () => {
    const granted = await createContact(service.api, { portal_access: 1 });
    const not = await createContact(service.api, { portal_access: 0, portal_role: 'client_admin' });
    expect(await story(granted)).toEqual([
      ['portal_access_granted', `key ${keyId}`, { role: 'client_viewer' }],
    ]);
    expect(await story(not)).toEqual([]);
  });

  test('granted, changed and withdrawn by an administrator is recorded as the administrator’s', async () => {
    const { admin } = people;
    const id = (await admin.client.post('/api/contacts', { email: nextEmail(), portal_access: 1 })).body.data
      .id as string;
    await patch(admin.client, id, { portal_role: 'client_admin' });
    await patch(admin.client, id, { portal_access: 0 });
    const by = `contact ${admin.id}`;
    expect(await story(id)).toEqual([
      ['portal_access_granted', by, { role: 'client_viewer' }],
      ['portal_role_changed', by, { from: 'client_viewer', to: 'client_admin' }],
      ['portal_access_withdrawn', by, {}],
    ]);
  });

  test('that was refused is not recorded', async () => {
    const { admin, viewer, foreigner, colleague } = people;
    const taken = (await service.api.get(`/api/contacts/${viewer.id}`)).body.data.email as string;
    for (const [response, status] of [
      [await patch(viewer.client, colleague, { portal_access: 1 }), 403],
      [await patch(admin.client, admin.id, { portal_access: 0 }), 403],
      [await patch(admin.client, foreigner, { portal_access: 1 }), 404],
      [await patch(service.api, colleague, { portal_access: 1, email: taken }), 409],
      [await patch(service.api, colleague, { portal_access: 1, email: null }), 400],
      [
        await service.api.patch(
          `/api/contacts/${colleague}`,
          { portal_access: 1 },
          { headers: { 'if-match': '"old"' } },
        ),
        412,
      ],
    ] as const) {
      expect(response.status).toBe(status);
    }
    expect(await story(colleague)).toEqual([]);
    expect(await story(foreigner)).toEqual([]);
  });

  test('is recorded with the address the proxy names and the id of the request', async () => {
    const { admin, viewer } = people;
    const headers = { 'x-forwarded-for': '198.51.100.9', 'x-request-id': 'request-of-the-test' };
    await admin.client.patch(`/api/contacts/${viewer.id}`, { portal_role: 'client_admin' }, { headers });
    const [entry] = await entries(`subject_id=${viewer.id}`);
    expect(entry).toEqual({
      id: expect.any(Number),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'portal_role_changed',
      actor: { kind: 'contact', id: admin.id },
      subject_id: viewer.id,
      client_address: '198.51.100.9',
      request_id: 'request-of-the-test',
      details: { from: 'client_viewer', to: 'client_admin' },
    });
  });

  test.each([
    ['198.51.100.9:5678', '198.51.100.9'],
    ['[2001:db8::7]:443', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['unknown', '127.0.0.1'],
    ['', '127.0.0.1'],
  ])('is recorded where a proxy forwards %j', async (forwarded, client_address) => {
    const id = await createContact(service.api);
    const headers = { 'x-forwarded-for': forwarded };
    const { status } = await service.api.patch(`/api/contacts/${id}`, { portal_access: 1 }, { headers });
    expect(status).toBe(200);
    expect(await entries(`subject_id=${id}`)).toMatchObject([
      { event: 'portal_access_granted', client_address },
    ]);
  });

  test('stays as it was when the log cannot be written', async () => {
    const id = await createContact(service.api);
    await service.sql(`ALTER TABLE auth_audit_log ADD CONSTRAINT full_ck CHECK (subject_id <> '${id}')`);
    expect((await patch(service.api, id, { portal_access: 1 })).status).toBe(500);
    await service.sql('ALTER TABLE auth_audit_log DROP CONSTRAINT full_ck');
    expect((await service.api.get(`/api/contacts/${id}`)).body.data.portal_access).toBe(0);
  });
});

describe('API keys', () => {
  test('made, rotated and revoked over HTTP are recorded, without a secret', async () => {
    const made = (
      await service.api.post('/api/keys', { name: 'audited', scopes: ['contacts:read', 'audit:read'] })
    ).body.data;
    const rotated = (await service.api.post(`/api/keys/${made.id}/rotate`, { overlap_seconds: 60 })).body
      .data;
    await service.api.delete(`/api/keys/${made.id}`);
    expect((await service.api.delete(`/api/keys/${made.id}`)).status).toBe(404);
    const told = (await entries(`subject_id=${made.id}`)).map(({ event, actor, details }) => ({
      event,
      actor,
      details,
    }));
    const actor = { kind: 'key', id: keyId };
    expect(told).toEqual([
      { event: 'key_revoked', actor, details: {} },
      { event: 'key_rotated', actor, details: { overlap_seconds: 60 } },
      { event: 'key_created', actor, details: { scopes: 'contacts:read,audit:read' } },
    ]);
    const log = JSON.stringify(await service.sql('SELECT a::text FROM auth_audit_log a'));
    for (const { key } of [made, rotated]) expect(log).not.toContain((key as string).slice(17));
  });

  test('made and revoked on the command line are the operator’s', async () => {
    const cli = (...args: string[]) => runEntry('cli', args, { DATABASE_URL: service.databaseUrl });
    const id = (await cli('keys', 'create', '--name', 'x', '--scopes', 'contacts:read')).stdout.slice(4, 16);
    await cli('keys', 'rotate', id);
    await cli('keys', 'revoke', id);
    const told = await entries(`subject_id=${id}`);
    expect(told.map(({ event }) => event)).toEqual(['key_revoked', 'key_rotated', 'key_created']);
    for (const entry of told) {
      expect(entry).toMatchObject({
        actor: { kind: 'operator', id: null },
        client_address: null,
        request_id: null,
      });
    }
  });
});

test.each([
  `UPDATE auth_audit_log SET event = 'sign_in'`,
  'UPDATE auth_audit_log SET details = details WHERE false',
  'DELETE FROM auth_audit_log',
  'TRUNCATE auth_audit_log',
  'TRUNCATE auth_audit_log CASCADE',
])('the database refuses: %s', async (statement) => {
  const count = () => service.sql('SELECT count(*) FROM auth_audit_log');
  const before = await count();
  await expect(service.sql(statement)).rejects.toThrow('auth_audit_log is append-only');
  expect(await count()).toEqual(before);
});

test('an address that a visitor types is nowhere in the log', async () => {
  const address = 'somebody.typed.this@elsewhere.test';
  const visitor = service.as({});
  await visitor.post('/auth/magic-link', { email: address });
  await visitor.post('/auth/magic-link/verify', { request_id: address, code: '123456' });
  const log = JSON.stringify(await service.sql('SELECT a::text FROM auth_audit_log a'));
  expect(log).toContain('sign_in_refused');
  expect(log).not.toContain('typed');
});
