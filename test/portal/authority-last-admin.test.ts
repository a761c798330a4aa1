// A company never loses its last administrator to a portal user, however many act at once.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { holdCompany } from '../support/hold-company.js';
import { type PortalUser, createPortalUser, nextEmail } from '../support/portal-users.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

async function companyWithAdmins(count: number): Promise<{ company: string; admins: PortalUser[] }> {
  const company = await createCompany(service.api);
  const admins = [];
  for (let made = 0; made < count; made += 1) {
    admins.push(await createPortalUser(service, { company_id: company, portal_role: 'client_admin' }));
  }
  return { company, admins };
}

async function adminsOf(company: string): Promise<number> {
  const rows = await service.sql(
    `SELECT 1 FROM contact WHERE company_id = $1 AND portal_access = 1 AND portal_role = 'client_admin'`,
    [company],
  );
  return rows.length;
}

/** Sends all requests while the company is held, so that every one has been let in before any is carried out. */
async function atOnce(
  company: string,
  requests: (() => Promise<Response>)[],
  meanwhile = async () => {},
): Promise<number[]> {
  const held = await holdCompany(service, company);
  try {
    const responses = Promise.all(requests.map((send) => send()));
    await held.untilWaiting(requests.length);
    await meanwhile();
    await held.release();
    return (await responses).map(({ status }) => status);
  } finally {
    await held.release();
  }
}

const WITHDRAWALS = [
  { portal_access: 0 },
  { portal_role: 'client_viewer' },
  { portal_role: null },
  { portal_access: 0, portal_role: null, email: null },
];

test.each(WITHDRAWALS)('of two who send each other %j at once, one stays', async (body) => {
  const { company, admins } = await companyWithAdmins(2);
  const [a, b] = admins as [PortalUser, PortalUser];
  const statuses = await atOnce(company, [
    () => a.client.patch(`/api/contacts/${b.id}`, body),
    () => b.client.patch(`/api/contacts/${a.id}`, body),
  ]);
  expect(statuses.toSorted((one, other) => one - other)).toEqual([200, 403]);
  expect(await adminsOf(company)).toBe(1);
});

test('of four who withdraw the next one’s access at once, at least one stays', async () => {
  const { company, admins } = await companyWithAdmins(4);
  await atOnce(
    company,
    admins.map(
      ({ client }, index) =>
        () =>
          client.patch(`/api/contacts/${admins[(index + 1) % 4]?.id}`, { portal_access: 0 }),
    ),
  );
  expect(await adminsOf(company)).toBeGreaterThanOrEqual(1);
});

test('one who is no longer an administrator when its turn comes changes and adds nothing', async () => {
  const { company, admins } = await companyWithAdmins(1);
  const [{ id, client }] = admins as [PortalUser];
  const colleague = await createContact(service.api, { company_id: company });
  const email = nextEmail();
  const statuses = await atOnce(
    company,
    [
      () => client.patch(`/api/contacts/${colleague}`, { title: 'Too late' }),
      () => client.post('/api/contacts', { email, portal_access: 1, portal_role: 'client_admin' }),
    ],
    async () => void (await service.api.patch(`/api/contacts/${id}`, { portal_role: 'client_viewer' })),
  );
  expect(statuses).toEqual([403, 403]);
  expect((await readContact(service.api, colleague)).title).toBeNull();
  expect((await service.api.get(`/api/contacts?email=${email}`)).body.data.total).toBe(0);
});

test('an administrator without an e-mail is none: clearing another’s is refused while it has access', async () => {
  const { admins } = await companyWithAdmins(2);
  const [a, b] = admins as [PortalUser, PortalUser];
  const { status, body } = await a.client.patch(`/api/contacts/${b.id}`, { email: null });
  expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'portal_access_needs_email' });
});

test('a backend may take even the last one’s access', async () => {
  const { company, admins } = await companyWithAdmins(1);
  expect((await service.api.patch(`/api/contacts/${admins[0]?.id}`, { portal_access: 0 })).status).toBe(200);
  expect(await adminsOf(company)).toBe(0);
});
