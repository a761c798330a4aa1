// The log of changes keeps totals: it has to hold each column that a logged filter asks for, and each change of it.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ContactQuery,
  type FilterName,
  filterConditions,
  isLogged,
} from '../../src/contacts/contact.query.js';
import { Params } from '../../src/common/sql.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

/** A value of each filter; says the compiler. */
const VALUES: Record<FilterName, string | number> = {
  company_id: 'co_e5f6g7',
  type: 'client',
  source: 'manual',
  search: 'jane',
  product: 'crm',
  tag: 'vip',
  email: 'jane@acme.com',
  portal_access: 1,
  portal_role: 'client_admin',
  pipeline_stage: 'a',
  funnel_stage: 'b',
  created_after: '2026-01-31T12:00:00Z',
  created_before: '2026-01-31T12:00:00Z',
  updated_after: '2026-01-31T12:00:00Z',
  updated_before: '2026-01-31T12:00:00Z',
};

const logged = Object.entries(VALUES)
  .map(([name, value]) => ({ name, query: Object.assign(new ContactQuery(), { [name]: value }) }))
  .filter(({ name }) => isLogged([name as FilterName]));

test('some filters are logged, and some are not', () => {
  expect(logged.length).toBeGreaterThan(5);
  expect(logged.length).toBeLessThan(Object.keys(VALUES).length);
});

test.each(logged)('the log can be asked for $name', async ({ query }) => {
  const params = new Params();
  const conditions = filterConditions(query, params).join(' AND ');
  expect(await service.sql(`SELECT FROM contact_change c WHERE ${conditions}`, params.values)).toEqual([]);
});

test('a change of any column of the log is logged', async () => {
  const columns = await service.sql<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = 'contact_change'::regclass AND attnum > 0 AND NOT attisdropped`,
  );
  const [trigger] = await service.sql<{ definition: string }>(
    `SELECT pg_get_triggerdef(oid) AS definition FROM pg_trigger WHERE tgname = 'contact_log_update'`,
  );
  // Those of the log itself; the document follows from the name and the address.
  const own = ['xid', 'sign', 'document'];
  const unnoticed = columns
    .map(({ name }) => name)
    .filter((name) => !own.includes(name))
    .filter(
      (name) =>
        !new RegExp(`\\bold\\.${name} IS DISTINCT FROM new\\.${name}\\b`, 'i').test(
          trigger?.definition ?? '',
        ),
    );
  expect(unnoticed).toEqual([]);
});
