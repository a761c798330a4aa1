// The plans of the statements on contacts and companies: which index finds a page, how its total is had, and how many
// rows are read for both. What reads more than it shows says so here.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CONTACTS, type ListPlan, ListPlans, PAGE, expectFewReads } from './support/list-plans.js';

let plans: ListPlans;
beforeAll(async () => {
  plans = await ListPlans.start();
});
afterAll(() => plans.stop());

/** Documents that hold the term: collected by its trigrams, and then sorted. */
const MATCHES = 'sorted matches';
const [DOCUMENTS, MEETINGS] = ['contact_search_document_ix', 'contact_search_meeting_ix'];

const contacts = (query: string): string => `/api/contacts?${query}`;

describe('contacts by their filters', () => {
  const rows: ListPlan[] = [
    ['', 'contact_created_ix', 'counts'],
    ['type=client', 'contact_type_ix', 'counts'],
    ['type=nobody', 'contact_type_ix', 'counts'],
    ['source=website', 'contact_source_ix', 'counts'],
    ['type=client&source=website', 'contact_type_source_ix', 'counts'],
    ['company_id=co_900', 'contact_company_ix', 'contact_company_ix'],
    ['company_id=co_1', 'contact_company_ix', 'contact_company_ix'],
    ['email=person777@example.org', 'sorted contact_email_uq', 'contact_email_uq'],
    ['product=crm', 'contact_product_ix', 'contact_product_ix'],
    ['product=beta', 'contact_product_ix', 'contact_product_ix'],
    ['pipeline_stage=new', 'contact_pipeline_stage_ix', 'contact_pipeline_stage_ix'],
    ['funnel_stage=purchase', 'contact_funnel_stage_ix', 'contact_funnel_stage_ix'],
    ['portal_access=1&portal_role=client_viewer', 'contact_portal_ix', 'contact_portal_ix'],
    ['portal_role=client_admin', 'contact_portal_role_ix', 'contact_portal_role_ix'],
    ['created_after=2025-06-01T00:00:00Z', 'contact_created_ix', 'contact_created_ix'],
    ['created_before=2023-06-01T00:00:00Z', 'contact_created_ix', 'contact_created_ix'],
    ['updated_after=2025-12-01T00:00:00Z', 'contact_created_ix', 'contact_updated_ix'],
    ['updated_after=2025-06-01T00:00:00Z&sort=-updated_at', 'contact_updated_ix', 'contact_updated_ix'],
    ['updated_before=2025-06-01T00:00:00Z&sort=updated_at', 'contact_updated_ix', 'contact_updated_ix'],
    ['total=0&product=seo', 'contact_product_ix', 'none'],
    ['fields=id,products,notes,company_name', 'contact_created_ix', 'counts'],
    // Few matches, in another order than the list's.
    ['tag=board', 'sorted contact_tags_ix', 'contact_tags_ix', { page: 'matches' }],
    ['portal_access=1', 'sorted contact_portal_ix', 'contact_portal_ix', { page: 'matches' }],
    ['company_id=co_900&sort=full_name', 'sorted contact_company_ix', 'contact_company_ix'],
    ['company_id=co_900&tag=vip', 'contact_company_ix', 'contact_company_ix', { page: 30, total: 30 }],
    ['source=nowhere&sort=full_name', 'sorted contact_source_ix', 'counts', { page: 'matches' }],
    ['type=press&source=event&sort=email', 'sorted contact_type_source_ix', 'counts', { page: 'matches' }],
    ['company_id=co_900&search=smith', MATCHES, 'contact_company_ix + contact_search_pk', { total: 60 }],
    // Frequent matches soon come along in the list's order.
    ['tag=vip', 'contact_created_ix', 'contact_tags_ix', { page: 1_000 }],
    ['product=crm&type=client', 'contact_product_ix', 'contact_product_ix', { page: 300, total: 14_000 }],
    ['type=client&sort=full_name', 'contact_full_name_ix', 'counts', { page: 300 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', (...row) => plans.expect(contacts(row[0]), row));
});

test('what is shown is made for the page alone, where the planner expects few and there are many', async () => {
  const runs = await plans.during(() =>
    plans.service.api.get(contacts('company_id=co_1&type=client&source=manual')),
  );
  expect(runs.map(({ shown }) => shown)).toEqual(runs.map(() => PAGE));
});

describe('contacts by what is read far beyond the page, by design', () => {
  const rows: ListPlan[] = [
    // Nearly all contacts match, and no index counts those. Once: then the total is remembered.
    ['portal_access=0', 'contact_created_ix', 'whole contact', { page: 50, total: CONTACTS }],
    // Newest first, but what was changed before that day was created before it, too: all that is newer.
    ['updated_before=2025-06-01T00:00:00Z', 'contact_created_ix', 'contact_updated_ix', { page: 12_000 }],
    // One letter is in most documents and soon found, its total is counted once; in no document, all are read each time.
    ['search=e', 'contact_search_pk', 'whole contact_search', { page: 100, total: CONTACTS }],
    ['search=%25', 'contact_search_pk', 'whole contact_search', { page: CONTACTS, total: CONTACTS }],
    // All matches and their contacts, before the first name is known.
    ['search=smith&sort=full_name', MATCHES, `contact_pk + ${DOCUMENTS}`, { total: 6_500 }],
    // All matches of either, to be compared.
    ['search=garcia&type=client', MATCHES, `${DOCUMENTS} + contact_type_ix`, { total: 19_000 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', (...row) => plans.expect(contacts(row[0]), row));
});

describe('contacts by filters whose total is remembered', () => {
  const rows: ListPlan[] = [
    ['product=crm', 'contact_product_ix', 'log'],
    ['pipeline_stage=new', 'contact_pipeline_stage_ix', 'log'],
    ['funnel_stage=awareness', 'contact_funnel_stage_ix', 'log'],
    ['created_after=2025-06-01T00:00:00Z', 'contact_created_ix', 'log'],
    ['product=crm&type=client', 'contact_product_ix', 'log', { page: 300 }],
    ['portal_access=0', 'contact_created_ix', 'log', { page: 50 }],
    ['company_id=co_1', 'contact_company_ix', 'log'],
    ['tag=vip', 'contact_created_ix', 'log', { page: 1_000 }],
    ['search=smith', 'contact_search_pk', 'log', { page: 1_200 }],
    ['search=@example.org', 'contact_search_pk', 'log', { page: 100 }],
    ['search=a&page=50', 'contact_search_pk', 'log', { page: 1_300 }],
    ['search=smith&total=0', 'contact_search_pk', 'none', { page: 1_200 }],
    ['search=a', 'contact_search_pk', 'log'],
    ['search=family&type=client', 'contact_pk + contact_search_pk', 'log', { page: 400 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', async (...row) => {
    await plans.service.api.get(contacts(row[0].replace('&total=0', '')));
    await plans.expect(contacts(row[0]), row);
  });

  test('a later page that is not walked to leaves the first one to be walked to', async () => {
    for (const page of [1, 1, 10]) await plans.service.api.get(contacts(`search=smith&page=${page}`));
    await plans.expect(contacts('search=smith'), ['', 'contact_search_pk', 'log', { page: 1_200 }]);
  });

  test('of the log only what is newer than the total is read', async () => {
    const path = contacts('product=crm');
    await plans.service.api.get(path);
    for (const id of ['ct_11', 'ct_12', 'ct_13'])
      await plans.service.api.patch(`/api/contacts/${id}`, { product: 'crm', pipeline_stage: 'renamed' });
    const [run] = await plans.during(() => plans.service.api.get(path));
    expect(run?.visits.contact_change).toBe(6);
  });
});

describe('contacts in each order, from the start and as a walk goes on', () => {
  const indexes = {
    created_at: 'contact_created_ix',
    full_name: 'contact_full_name_ix',
    email: 'contact_email_sort_ix',
    updated_at: 'contact_updated_ix',
    engagement_score: 'contact_engagement_ix',
  };
  const orders = Object.entries(indexes).flatMap(([name, index]) => [
    [name, index],
    [`-${name}`, index],
  ]);
  test.each(orders)('%s is read from %s', async (order = '', index = '') => {
    const plan: ListPlan = ['', index, 'counts'];
    await plans.expect(contacts(`sort=${order}`), plan);
    const { body } = await plans.service.api.get(contacts(`sort=${order}&cursor=`));
    await plans.expect(contacts(`sort=${order}&cursor=${body.data.next_cursor}`), plan);
  });

  test('a walk within a type goes on in its index', async () => {
    const { body } = await plans.service.api.get(contacts('type=client&cursor='));
    const plan: ListPlan = ['', 'contact_type_ix', 'counts'];
    await plans.expect(contacts(`type=client&cursor=${body.data.next_cursor}`), plan);
  });
});

describe('contacts by a search, for the first time', () => {
  const rows: ListPlan[] = [
    ['search=zephyrine', MATCHES, DOCUMENTS],
    ['search=müller', MATCHES, DOCUMENTS],
    ['search=nothinglikethis', MATCHES, DOCUMENTS],
    ['search=王', MATCHES, 'contact_search_short_ix'],
    ['search=王伟', MATCHES, 'contact_search_short_ix'],
    ['search=ahmed novák', MATCHES, MEETINGS],
    ['search=hmed zephyr', MATCHES, MEETINGS],
    ['search=ahmed z', MATCHES, MEETINGS],
    ['search=li müller', MATCHES, DOCUMENTS],
    // With every tenth address: of the numbers in them it has the last digit alone.
    ['search=person2@example.org', MATCHES, `contact_pk + ${MEETINGS}`, { total: 10_000 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', (...row) =>
    plans.expect(contacts(encodeURI(row[0])), row),
  );
});

describe('pages far from the first', () => {
  const rows: ListPlan[] = [
    // By the counts down to an hour, or to a day of a type or source: the rest of it is stepped over.
    ['page=1000', 'contact_created_ix', 'counts', { page: PAGE + 10 }],
    ['page=200&type=client', 'contact_type_ix', 'counts', { page: PAGE + 50 }],
    ['page=80&source=website', 'contact_source_ix', 'counts', { page: PAGE + 50 }],
    ['page=100&type=client&source=website', 'contact_type_source_ix', 'counts', { page: PAGE + 50 }],
    ['page=1000&total=0', 'contact_created_ix', 'none', { page: PAGE + 10 }],
    ['page=100000', 'contact_created_ix', 'counts'],
    // All pages before it are stepped over, in the index alone where that has all that is asked for.
    ['page=1000&sort=created_at', 'contact_created_ix', 'counts', { page: 25_001 }],
    ['page=1000&sort=full_name', 'contact_full_name_ix', 'counts', { page: 25_001 }],
    ['page=41&company_id=co_1', 'contact_company_ix', 'log', { page: 1_026 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', (...row) => plans.expect(contacts(row[0]), row));
});

describe('companies', () => {
  const rows: ListPlan[] = [
    ['', 'company_name_ix', 'company_pk'],
    ['sort=-monthly_revenue', 'company_revenue_ix', 'company_pk'],
    ['search=company77', 'sorted company_search_ix', 'company_search_ix'],
    ['type=client', 'company_name_ix', 'whole company', { page: 300, total: 1_000 }],
  ];
  test.each(rows)('%s: the page from %s, the total from %s', (...row) =>
    plans.expect(`/api/companies?${row[0]}`, row),
  );
});

describe('a single contact', () => {
  const one = '/api/contacts/ct_20000';
  const patches = { title: 'CEO', first_name: 'Jo', contact_type: 'lead', email: 'jo@example.org' };
  const calls: [string, () => Promise<unknown>][] = [
    ['get', () => plans.service.api.get(one)],
    ['post', () => plans.service.api.post('/api/contacts', { email: 'new@example.org', company_id: 'co_1' })],
    ...Object.entries(patches).map(([field, value]): [string, () => Promise<unknown>] => [
      `patch of ${field}`,
      () => plans.service.api.patch(one, { [field]: value }),
    ]),
  ];
  test.each(calls)('%s reads it by its key, triggers included', async (_name, call) => {
    const runs = await plans.during(call);
    expect(runs.length).toBeGreaterThan(0);
    for (const run of runs) expectFewReads(run);
  });
});
