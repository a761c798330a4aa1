// Contacts and sessions that are asked for in the same moment are read together, and nobody can tell.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { type PipelinedRequest, outcome, pipeline } from '../support/pipelined.js';
import { createPortalUser } from '../support/portal-users.js';
import { type Client, TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const get = (id: string, as?: Client): PipelinedRequest => ({
  method: 'GET',
  path: `/api/contacts/${id}`,
  as,
});
const reading = (statements: readonly string[], table: string): string[] =>
  statements.filter((text) => text.includes(` = ANY ($1)`) && text.includes(`FROM ${table} `));

test('contacts of one moment are few statements, and each request is answered with its own', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => createContact(service.api)));
  const asked = [...ids, 'ct_nobody', ...ids.slice(0, 5)];
  let answers: Awaited<ReturnType<typeof pipeline>> = [];
  const statements = await statementsDuring(
    async () =>
      (answers = await pipeline(
        service,
        asked.map((id) => get(id)),
      )),
  );
  expect(reading(statements, 'contact').length).toBeLessThanOrEqual(3);
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
  let answers: Awaited<ReturnType<typeof pipeline>> = [];
  const statements = await statementsDuring(async () => (answers = await pipeline(service, keyAsWell)));
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
