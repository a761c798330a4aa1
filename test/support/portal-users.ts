// Two companies and their people, some of them signed in to the portal.
import { SessionsService } from '../../src/portal/sessions.service.js';
import { createCompany, createContact } from './factories.js';
import type { Client, TestService } from './service.js';

export interface PortalUser {
  id: string;
  /** Calls with the contact's token. */
  client: Client;
}

/** Creates a contact with portal access and signs it in. */
export async function createPortalUser(service: TestService, fields: object = {}): Promise<PortalUser> {
  const id = await createContact(service.api, { email: nextEmail(), portal_access: 1, ...fields });
  return { id, client: await signIn(service, id) };
}

/** A client with a new session of the contact. */
export async function signIn(service: TestService, id: string): Promise<Client> {
  const visitor = { address: '203.0.113.7', userAgent: 'test', requestId: 'sign-in' };
  const proved = { contactId: id, redirect: '' };
  const { tokens } = await service.app
    .get(SessionsService)
    .signIn<never>('magic_link', visitor, () => Promise.resolve(proved));
  return service.as({ authorization: `Bearer ${tokens.accessToken}` });
}

/** A contact of each company that cannot sign in. */
export async function createColleagues(
  service: TestService,
  { acme, rival }: { acme: string; rival: string },
) {
  const create = (company_id: string, full_name: string): Promise<string> =>
    createContact(service.api, { company_id, email: nextEmail(), full_name });
  return { colleague: await create(acme, 'Carl Colleague'), foreigner: await create(rival, 'Fiona Foreign') };
}

/** Acme with an administrator, a viewer and a colleague who cannot sign in; a rival; and one of no company. */
export async function createPeople(service: TestService) {
  const acme = await createCompany(service.api, {
    name: 'Acme Corp',
    notes: 'pays late',
    monthly_revenue: 4500,
  });
  const rival = await createCompany(service.api, { name: 'Rival Ltd' });
  return {
    acme,
    rival,
    admin: await createPortalUser(service, { company_id: acme, portal_role: 'client_admin' }),
    viewer: await createPortalUser(service, { company_id: acme, portal_role: 'client_viewer' }),
    /** An administrator of nothing. */
    loner: await createPortalUser(service, { portal_role: 'client_admin' }),
    ...(await createColleagues(service, { acme, rival })),
  };
}

export type People = Awaited<ReturnType<typeof createPeople>>;

let count = 0;
export function nextEmail(): string {
  return `user${(count += 1)}@acme.test`;
}
