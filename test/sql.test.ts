// The SQL of every repository method, so that a review sees what a change does to it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { DataSource } from 'typeorm';
import { ApiKeysRepository } from '../src/auth/api-keys.repository.js';
import { OPERATOR, type PortalCaller } from '../src/auth/caller.js';
import { IdempotentWritesRepository } from '../src/auth/idempotent-writes.repository.js';
import { PortalCallersRepository } from '../src/auth/portal-callers.repository.js';
import { PreparedPool } from '../src/common/prepared-pool.js';
import { Reads } from '../src/common/reads.js';
import type { Queryable } from '../src/common/sql.js';
import { CompaniesRepository } from '../src/companies/companies.repository.js';
import { CompanyQuery } from '../src/companies/company.query.js';
import { ContactQuery, type FilterName } from '../src/contacts/contact.query.js';
import { ContactListsRepository } from '../src/contacts/contact-lists.repository.js';
import { ContactsRepository } from '../src/contacts/contacts.repository.js';
import { TestService } from './support/service.js';

const portal: PortalCaller = {
  kind: 'portal',
  contactId: 'ct_a1b2c3d4',
  sessionId: 'ses_k3v9x2m4q8r1a7b2',
  companyId: 'co_e5f6g7',
  role: 'client_admin',
};
const alone: PortalCaller = { ...portal, companyId: null };
const moment = '2026-01-31T12:00:00.000Z';

let service: TestService;
const statements: string[] = [];

beforeAll(async () => {
  service = await TestService.start({ PORTAL_PRODUCTS: 'crm,seo' });
});
afterAll(() => service.stop());
beforeEach(() => {
  statements.length = 0;
  const source = service.app.get(DataSource);
  const run = source.query.bind(source);
  jest.spyOn(source as Queryable, 'query').mockImplementation(async (sql, values) => {
    // The service folds the log all the while.
    if (!sql.includes('contact_fold_changes'))
      statements.push(`${tidy(sql)}\n-- ${JSON.stringify(values ?? [])}`);
    return run(sql, values);
  });
  // Whichever connection it would have taken.
  const reads = service.app.get(Reads);
  jest.spyOn(reads as Queryable, 'query').mockImplementation((sql, values) => source.query(sql, values));
  jest
    .spyOn(service.app.get(PreparedPool), 'query')
    .mockImplementation((sql, values) => source.query(sql, values));
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Indentation is the source's business; lines are the statement's. */
const tidy = (sql: string): string =>
  sql
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join('\n');

const query = (fields: Partial<ContactQuery> = {}): ContactQuery => Object.assign(new ContactQuery(), fields);
const companyQuery = (fields: Partial<CompanyQuery> = {}): CompanyQuery =>
  Object.assign(new CompanyQuery(), fields);

describe('contacts', () => {
  const lists = (): ContactListsRepository => service.app.get(ContactListsRepository);
  const contacts = (): ContactsRepository => service.app.get(ContactsRepository);
  const cursor = Buffer.from(JSON.stringify(['-created_at', '2026-01-31 12:00:00+00', 'ct_a'])).toString(
    'base64url',
  );

  const calls: [string, () => Promise<unknown>][] = [
    ['list', () => lists().list(OPERATOR, query())],
    ['list, third page without total', () => lists().list(OPERATOR, query({ page: 3, limit: 10, total: 0 }))],
    [
      'list by every filter',
      () =>
        lists().list(
          OPERATOR,
          query({
            // All of them, says the compiler.
            company_id: 'co_e5f6g7', type: 'client', source: 'manual', search: 'jane', product: 'crm', tag: 'vip',
            email: 'jane@acme.com', portal_access: 1, portal_role: 'client_admin', pipeline_stage: 'a',
            funnel_stage: 'b', created_after: moment, created_before: moment, updated_after: moment,
            updated_before: moment,
          } satisfies Record<FilterName, unknown>), // prettier-ignore
        ),
    ],
    ['search for an exact e-mail', () => lists().list(OPERATOR, query({ search: 'jane@acme.com' }))],
    ['list sorted by name', () => lists().list(OPERATOR, query({ sort: 'full_name' }))],
    ['list sorted by e-mail, backwards', () => lists().list(OPERATOR, query({ sort: '-email' }))],
    ['list sorted by engagement', () => lists().list(OPERATOR, query({ sort: '-engagement_score' }))],
    ['list with chosen fields', () => lists().list(OPERATOR, query({ fields: 'id,products,notes' }))],
    ['first step of a walk', () => lists().list(OPERATOR, query({ cursor: '' }))],
    ['next step of a walk', () => lists().list(OPERATOR, query({ cursor }))],
    ['list for a portal user', () => lists().list(portal, query({ search: 'jane' }))],
    ['list for a portal user without company', () => lists().list(alone, query())],
    ['findById', () => contacts().findById(OPERATOR, 'ct_a1b2c3d4')],
    ['findById for a portal user', () => contacts().findById(portal, 'ct_a1b2c3d4')],
    ['findById, locked', () => contacts().findById(OPERATOR, 'ct_a1b2c3d4', { lock: true })],
    ['findIdByEmail', () => contacts().findIdByEmail(OPERATOR, 'jane@acme.com')],
    [
      'insert',
      () => contacts().insert(OPERATOR, { id: 'ct_a1b2c3d4', email: 'jane@acme.com', tags: undefined }),
    ],
    ['update', () => contacts().update(OPERATOR, 'ct_a1b2c3d4', { first_name: 'Jane', notes: null })],
    ['update by a portal user', () => contacts().update(portal, 'ct_a1b2c3d4', { first_name: 'Jane' })],
  ];
  test.each(calls)('%s', async (_name, call) => {
    await call();
    expect(statements.join('\n\n')).toMatchSnapshot();
  });

  test('fields that the caller may not see never reach the statement', async () => {
    await lists().list(portal, query({ fields: "id,notes,x'); DROP TABLE contact; --" }));
    expect(statements.join()).not.toMatch(/notes|DROP/);
  });
});

describe('companies', () => {
  const companies = (): CompaniesRepository => service.app.get(CompaniesRepository);
  const calls: [string, () => Promise<unknown>][] = [
    ['list', () => companies().list(OPERATOR, companyQuery())],
    [
      'list by every filter',
      () =>
        companies().list(
          OPERATOR,
          companyQuery({
            type: 'client',
            product: 'crm',
            status: 'active',
            source: 'manual',
            search: 'acme',
          }),
        ),
    ],
    ['list sorted by revenue', () => companies().list(OPERATOR, companyQuery({ sort: '-monthly_revenue' }))],
    ['list for a portal user', () => companies().list(portal, companyQuery())],
    ['findById', () => companies().findById(OPERATOR, 'co_e5f6g7')],
    ['findById, locked', () => companies().findById(portal, 'co_e5f6g7', { lock: true })],
    ['insert', () => companies().insert(OPERATOR, { id: 'co_e5f6g7', name: 'Acme Corp' })],
    ['update', () => companies().update(OPERATOR, 'co_e5f6g7', { name: 'Acme', notes: null })],
  ];
  test.each(calls)('%s', async (_name, call) => {
    await call();
    expect(statements.join('\n\n')).toMatchSnapshot();
  });
});

/** What is random or hashed differs each time. */
const withoutHashes = (text: string): string => text.replace(/\{"type":"Buffer".*?\]\}/g, '"<hash>"');

describe('writes kept for retries', () => {
  const writes = (): IdempotentWritesRepository => service.app.get(IdempotentWritesRepository);
  const db = (): DataSource => service.app.get(DataSource);
  const bytes = Buffer.alloc(32);
  const calls: [string, () => Promise<unknown>][] = [
    ['claim', () => writes().claim(bytes, bytes, db())],
    ['keep', () => writes().keep(bytes, bytes, db())],
    ['findById', () => writes().findById(bytes, db())],
  ];
  test.each(calls)('%s', async (_name, call) => {
    await call();
    expect(withoutHashes(statements.join('\n\n'))).toMatchSnapshot();
  });
});

describe('API keys and portal callers', () => {
  const keys = (): ApiKeysRepository => service.app.get(ApiKeysRepository);
  const db = (): DataSource => service.app.get(DataSource);
  const id = 'k3v9x2m4q8r1';
  const hash = Buffer.alloc(32);
  const insert = () =>
    keys().insert(
      {
        id,
        name: 'x',
        secret_hash: hash,
        scopes: ['contacts:read'],
        allowed_cidrs: null,
        expires_at: null,
        rate_limit: 600,
      },
      db(),
    );
  const calls: [string, () => Promise<unknown>][] = [
    ['list', () => keys().list()],
    ['findById', () => keys().findById(id)],
    ['insert', insert],
    ['rotate', () => keys().rotate(id, hash, 60, db())],
    ['limit', () => keys().limit(id, 60, db())],
    ['revoke', () => keys().revoke(id, db())],
    ['touch', () => keys().touch([id])],
    [
      'the portal caller of a contact',
      () => service.app.get(PortalCallersRepository).find('ct_a1b2c3d4', 'ses_k3v9x2m4q8r1a7b2'),
    ],
  ];
  test.each(calls)('%s', async (_name, call) => {
    await call();
    expect(withoutHashes(statements.join('\n\n'))).toMatchSnapshot();
  });
});
