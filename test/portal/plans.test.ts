// The plans of a portal user's lists and reads: few rows, those of the own company, whatever is asked for.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ListPlan, ListPlans, expectFewReads } from '../support/list-plans.js';
import { signIn } from '../support/portal-users.js';
import type { Client } from '../support/service.js';

let plans: ListPlans;
beforeAll(async () => {
  plans = await ListPlans.start();
});
afterAll(() => plans.stop());

const OWN = 'contact_company_ix';
const MATCHES = 'sorted matches';
const contacts = (query: string): string => `/api/contacts?${query}`;

const [PORTAL, ROLE] = ['contact_portal_ix', 'contact_portal_role_ix'];
const ACCESS = { page: 1_100, total: 1_100 };
const rows: ListPlan[] = [
  ['', OWN, OWN],
  ['page=2', OWN, OWN],
  ['total=0', OWN, 'none'],
  ['cursor=', OWN, OWN],
  ['fields=id,company_name', OWN, OWN],
  ['created_after=2025-06-01T00:00:00Z', OWN, OWN],
  ['updated_after=2025-06-01T00:00:00Z', OWN, OWN, { page: 100, total: 100 }],
  // All with access, as long as they are few, by whichever index.
  ['portal_access=1', `sorted ${OWN} + ${PORTAL}`, `${OWN} + ${PORTAL}`, ACCESS],
  ['portal_role=client_viewer', `sorted ${OWN} + ${ROLE}`, `${OWN} + ${ROLE}`, ACCESS],
  ['email=person777@example.org', 'sorted contact_email_uq', 'contact_email_uq', { page: 1, total: 1 }],
  ['sort=full_name', `sorted ${OWN}`, OWN, { page: 'matches' }],
  ['sort=-updated_at', `sorted ${OWN}`, OWN, { page: 'matches' }],
  ['search=smith', MATCHES, `${OWN} + contact_search_pk`, { total: 100 }],
  ['search=a', `${OWN} + contact_search_pk`, `${OWN} + contact_search_pk`, { page: 60, total: 100 }],
];
test.each(rows)('of a company, %s: the page from %s, the total from %s', async (...row) =>
  plans.expect(contacts(row[0]), row, await clientOf(`company_id > 'co_9'`)),
);

test.each(['', 'search=smith', 'search=a', 'sort=full_name', 'portal_access=1'])(
  'without a company: %s reads itself',
  async (query) => {
    const client = await clientOf('company_id IS NULL');
    const runs = await plans.during(() => client.get(contacts(query)));
    expect(runs.length).toBeGreaterThan(0);
    for (const run of runs) expectFewReads(run);
  },
);

test('of a large company reads a contact by its key', async () => {
  const client = await clientOf(`company_id = 'co_1'`);
  const { id } = (await client.get(contacts('limit=1'))).body.data.items[0];
  for (const run of await plans.during(() => client.get(`/api/contacts/${id}`))) expectFewReads(run);
});

test('of a large company changes itself by its key, on whichever plan', async () => {
  const { id, client } = await userOf(`company_id = 'co_1'`);
  const runs = await plans.during(() => client.patch(`/api/contacts/${id}`, { first_name: 'Jo' }));
  expect(runs.length).toBeGreaterThan(0);
  for (const run of runs) expectFewReads(run);
});

const clientOf = async (condition: string): Promise<Client> => (await userOf(condition)).client;

async function userOf(condition: string): Promise<{ id: string; client: Client }> {
  const [found] = await plans.service.sql<{ id: string }>(
    `SELECT id FROM contact WHERE portal_access = 1 AND ${condition} ORDER BY created_at LIMIT 1`,
  );
  const id = found?.id ?? '';
  return { id, client: await signIn(plans.service, id) };
}
