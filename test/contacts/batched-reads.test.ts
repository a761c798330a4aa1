// Contacts, lists and sessions that are asked for in the same moment are read together, and nobody can tell.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { ConcurrencyLimit } from '../../src/common/concurrency-limit.js';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { type PipelinedRequest, outcome, pipeline } from '../support/pipelined.js';
import { createPortalUser } from '../support/portal-users.js';
import { type Client, PATIENT, TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';

let service: TestService;
beforeAll(async () => {
  // A busy machine would let fewer in at once, and so fewer in the same moment.
  jest.spyOn(ConcurrencyLimit.prototype, 'current', 'get').mockReturnValue(128);
  service = await TestService.start(PATIENT);
});
afterAll(() => service.stop());

const get = (id: string, as?: Client): PipelinedRequest => ({
  method: 'GET',
  path: `/api/contacts/${id}`,
  as,
});
const list = (query: string, as?: Client): PipelinedRequest => ({
  method: 'GET',
  path: `/api/contacts?${query}`,
  as,
});
const reading = (statements: readonly string[], table: string): string[] =>
  statements.filter((text) => text.includes('json_to_recordset($1)') && text.includes(`FROM ${table} `));
const ofCompanies = (statements: readonly string[]): string[] =>
  reading(statements, 'contact').filter((text) => text.includes('c.company_id = asked.p1'));

/** Sends requests at once, and answers what came and what was read meanwhile. */
async function together(requests: readonly PipelinedRequest[]) {
  let answers: Awaited<ReturnType<typeof pipeline>> = [];
  const statements = await statementsDuring(async () => (answers = await pipeline(service, requests)));
  return { answers, statements };
}

test('contacts of one moment are few statements, and each request is answered with its own', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => createContact(service.api)));
  const asked = [...ids, 'ct_nobody', ...ids.slice(0, 5)];
  const { answers, statements } = await together(asked.map((id) => get(id)));
  const gets = reading(statements, 'contact').filter((text) => text.includes('c.id = asked.p2'));
  expect(gets.length).toBeLessThanOrEqual(3);
  expect(answers.map(outcome)).toEqual(asked.map((id) => (id === 'ct_nobody' ? 'not_found' : 200)));
  const contacts = await Promise.all(ids.map((id) => readContact(service.api, id)));
  expect(answers.flatMap(({ body }) => body.data ?? [])).toEqual([...contacts, ...contacts.slice(0, 5)]);
});

test('portal users of one moment are read together, and each sees its own company and fields', async () => {
  const companies = await Promise.all(['Acme', 'Rival'].map((name) => createCompany(service.api, { name })));
  const users = await Promise.all(
    companies.map((company_id) => createPortalUser(service, { company_id, notes: 'internal' })),
  );
  const [acme, rival] = users;
  const requests = users.flatMap(({ client }) => users.map(({ id }) => get(id, client)));
  // A token is verified once, and remembered.
  await pipeline(service, requests);
  const keyAsWell = [...requests, get(acme?.id ?? '')];
  const { answers, statements } = await together(keyAsWell);
  expect(reading(statements, 'portal_session')).toHaveLength(1);
  expect(answers.map(outcome)).toEqual([200, 'not_found', 'not_found', 200, 200]);
  expect(answers[0]?.body.data).toMatchObject({ id: acme?.id, company_name: 'Acme' });
  expect(answers[0]?.body.data).not.toHaveProperty('notes');
  expect(answers[3]?.body.data).toMatchObject({ id: rival?.id, company_name: 'Rival' });
  expect(answers[4]?.body.data).toMatchObject({ id: acme?.id, notes: 'internal' });
});

test('of portal users of one moment, one whose session has ended is refused, and no other', async () => {
  const users = await Promise.all(Array.from({ length: 4 }, () => createPortalUser(service)));
  const requests = users.map(({ id, client }) => get(id, client));
  expect((await pipeline(service, requests)).map(outcome)).toEqual([200, 200, 200, 200]);
  await service.sql('UPDATE contact SET portal_access = 0 WHERE id = $1', [users[2]?.id]);
  expect((await pipeline(service, requests)).map(outcome)).toEqual([200, 200, 'unauthenticated', 200]);
});

test('lists of one moment are few statements, and each is answered with its own', async () => {
  const companies = await Promise.all(['Acme', 'Rival'].map((name) => createCompany(service.api, { name })));
  for (const [index, company_id] of companies.entries())
    for (let count = 0; count <= index; count += 1) await createContact(service.api, { company_id });
  const of = (index: number): string => `company_id=${companies[index]}`;
  const queries = [of(0), of(1), 'company_id=co_nobody', of(0), of(1), of(0), `${of(1)}&limit=1`];
  const { answers, statements } = await together(queries.map((query) => list(query)));
  const sent = ofCompanies(statements);
  expect(sent.length).toBeLessThan(4);
  expect(new Set(sent).size).toBe(2);
  expect(answers.map(({ body }) => body.data?.total)).toEqual([1, 2, 0, 1, 2, 1, 2]);
  for (const [index, query] of queries.entries())
    expect(answers[index]?.body).toEqual((await service.api.get(`/api/contacts?${query}`)).body);
});

test('walks of one moment go on each from its own place, and one that cannot stops no other', async () => {
  const company_id = await createCompany(service.api, { name: 'Walked' });
  for (let count = 0; count < 4; count += 1) await createContact(service.api, { company_id });
  const path = `company_id=${company_id}&limit=1`;
  const cursors = [''];
  for (let step = 0; step < 3; step += 1) {
    const { body } = await service.api.get(`/api/contacts?${path}&cursor=${cursors[step]}`);
    cursors.push(body.data.next_cursor as string);
  }
  const [, second = '', third = '', fourth = ''] = cursors;
  const { answers, statements } = await together(
    [second, third, 'bm9uZQ', fourth].map((cursor) => list(`${path}&cursor=${cursor}`)),
  );
  expect(answers.map(outcome)).toEqual([200, 200, 'invalid_request', 200]);
  expect(ofCompanies(statements).length).toBeLessThan(3);
  expect(answers.map(({ body }) => body.data?.next_cursor)).toEqual([third, fourth, undefined, null]);
});

test('lists of portal users of one moment are of their own companies, and never go with those of a key', async () => {
  const users = await Promise.all([0, 1].map(() => createPortalUser(service, { notes: 'internal' })));
  const requests = [...users.map(({ client }) => list('', client)), list('fields=id,notes&limit=100')];
  await pipeline(service, requests);
  const { answers } = await together(requests);
  for (const [index, { id }] of users.entries()) {
    expect(answers[index]?.body.data).toMatchObject({ items: [{ id }], total: 1 });
    expect(JSON.stringify(answers[index])).not.toContain('internal');
  }
  expect(answers[2]?.body.data?.items).toContainEqual({ id: users[0]?.id, notes: 'internal' });
});
