// Who may do what: every kind of caller against every action, and the answer each gets.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { readContact } from '../support/factories.js';
import { type People, createColleagues, createPeople, nextEmail } from '../support/portal-users.js';
import { type Client, TestService } from '../support/service.js';

let service: TestService;
let reader: Client;
let people: People;
beforeAll(async () => {
  service = await TestService.start();
  reader = await service.withScopes('contacts:read');
  people = await createPeople(service);
});
afterAll(() => service.stop());
beforeEach(async () => {
  people = { ...people, ...(await createColleagues(service, people)) };
});

const CALLERS = ['key', 'reader', 'admin', 'viewer', 'loner', 'nobody'] as const;
type CallerName = (typeof CALLERS)[number];

function clientOf(caller: CallerName): Client {
  if (caller === 'key') return service.api;
  if (caller === 'reader') return reader;
  return caller === 'nobody' ? service.as({}) : people[caller].client;
}

const outcome = ({ status, body }: Response): string | number =>
  status < 300 ? status : `${status} ${body.error.code}`;

const WORDS: Record<string, string | number> = {
  ok: 200,
  made: 201,
  invalid: '400 invalid_request',
  unsigned: '401 unauthenticated',
  forbidden: '403 forbidden',
  scope: '403 insufficient_scope',
  missing: '404 not_found',
  foreign: '422 company_not_found',
};

type Act = (client: Client, people: People) => Promise<Response>;

const createIn =
  (company: (people: People) => string | null | undefined, fields: object = {}): Act =>
  (client, p) =>
    client.post('/api/contacts', { email: nextEmail(), company_id: company(p), ...fields });
const patchColleague =
  (fields: object | ((people: People) => object)): Act =>
  (client, p) =>
    client.patch(`/api/contacts/${p.colleague}`, typeof fields === 'function' ? fields(p) : fields);
const patchForeigner =
  (fields: (people: People) => object): Act =>
  (client, p) =>
    client.patch(`/api/contacts/${p.foreigner}`, fields(p));
const ADMIN = { portal_access: 1, portal_role: 'client_admin' };

/** Expected answers of all CALLERS but nobody, in their order. */
const ACTIONS: [action: string, act: Act, expected: string][] = [
  ['lists contacts', (c) => c.get('/api/contacts'), 'ok ok ok ok ok'],
  ['reads a colleague', (c, p) => c.get(`/api/contacts/${p.colleague}`), 'ok ok ok ok missing'],
  ['reads a foreigner', (c, p) => c.get(`/api/contacts/${p.foreigner}`), 'ok ok missing missing missing'],
  ['creates a contact', createIn(() => undefined), 'made scope made forbidden forbidden'],
  ['creates in Acme', createIn((p) => p.acme), 'made scope made forbidden forbidden'],
  ['creates in the rival', createIn((p) => p.rival), 'made scope foreign forbidden forbidden'],
  ['creates in no company that is', createIn(() => 'co_none'), 'foreign scope foreign forbidden forbidden'],
  ['creates outside companies', createIn(() => null), 'made scope foreign forbidden forbidden'],
  ['creates an administrator', createIn((p) => p.acme, ADMIN), 'made scope made forbidden forbidden'],
  ['creates one in the rival', createIn((p) => p.rival, ADMIN), 'made scope foreign forbidden forbidden'],
  ['changes a colleague', patchColleague({ title: 'Buyer' }), 'ok scope ok forbidden missing'],
  ['changes a colleague’s phone', patchColleague({ phone: '1' }), 'ok scope ok forbidden missing'],
  ['grants a colleague access', patchColleague(ADMIN), 'ok scope ok forbidden missing'],
  ['keeps a colleague', patchColleague((p) => ({ company_id: p.acme })), 'ok scope ok forbidden missing'],
  ['moves one', patchColleague((p) => ({ company_id: p.rival })), 'ok scope foreign forbidden missing'],
  ['moves one nowhere', patchColleague({ company_id: 'co_none' }), 'foreign scope foreign forbidden missing'],
  ['takes one out', patchColleague({ company_id: null }), 'ok scope foreign forbidden missing'],
  ['changes a hidden field', patchColleague({ notes: 'x' }), 'ok scope invalid invalid invalid'],
  ['changes products', patchColleague({ products: [] }), 'invalid scope invalid invalid invalid'],
  ['changes created_at', patchColleague({ created_at: null }), 'invalid scope invalid invalid invalid'],
  ['changes a foreigner', patchForeigner(() => ({ phone: '1' })), 'ok scope missing missing missing'],
  ['grants a foreigner access', patchForeigner(() => ADMIN), 'ok scope missing missing missing'],
  ['pulls one over', patchForeigner((p) => ({ company_id: p.acme })), 'ok scope missing missing missing'],
  ['lists companies', (c) => c.get('/api/companies'), 'ok scope ok ok ok'],
  ['reads Acme', (c, p) => c.get(`/api/companies/${p.acme}`), 'ok scope ok ok missing'],
  ['reads the rival', (c, p) => c.get(`/api/companies/${p.rival}`), 'ok scope missing missing missing'],
  [
    'creates a company',
    (c) => c.post('/api/companies', { name: 'New' }),
    'made scope forbidden forbidden forbidden',
  ],
  [
    'changes Acme',
    (c, p) => c.patch(`/api/companies/${p.acme}`, { name: 'New' }),
    'ok scope forbidden forbidden forbidden',
  ],
  ['lists keys', (c) => c.get('/api/keys'), 'ok scope forbidden forbidden forbidden'],
  [
    'makes a key',
    (c) => c.post('/api/keys', { name: 'x', scopes: ['contacts:read'] }),
    'made scope forbidden forbidden forbidden',
  ],
  ['reads the audit log', (c) => c.get('/api/audit'), 'ok scope forbidden forbidden forbidden'],
];

const cases = ACTIONS.flatMap(([action, act, expected]) =>
  `${expected} unsigned`
    .split(' ')
    .map((word, column) => ({ caller: CALLERS[column] ?? 'nobody', action, act, word })),
);

test.each(cases)('$caller $action: $word', async ({ caller, act, word }) => {
  expect(outcome(await act(clientOf(caller), people))).toBe(WORDS[word]);
});

/** What the administrator, the viewer and the one without a company may change of themselves. */
const SELF: [body: object, expected: string][] = [
  [{ first_name: 'J', last_name: 'S', full_name: 'J S', phone: '1' }, 'ok ok ok'],
  [{ phone: null }, 'ok ok ok'],
  [{ title: 'Boss' }, 'ok forbidden forbidden'],
  [{ phone: '1', title: 'Boss' }, 'ok forbidden forbidden'],
  [
    { department: 'Sales', contact_type: 'client', linkedin_url: 'https://l.test/x' },
    'ok forbidden forbidden',
  ],
  [{ photo_url: 'https://l.test/x.png' }, 'ok forbidden forbidden'],
  [{ email: 'new@acme.test' }, 'forbidden forbidden forbidden'],
  [{ email: null }, 'forbidden forbidden forbidden'],
  [{ portal_access: 0 }, 'forbidden forbidden forbidden'],
  [{ portal_access: 1 }, 'forbidden forbidden forbidden'],
  [{ portal_role: 'client_admin' }, 'forbidden forbidden forbidden'],
  [{ portal_role: 'client_viewer' }, 'forbidden forbidden forbidden'],
  [{ company_id: 'co_none' }, 'foreign forbidden forbidden'],
  [{ company_id: null }, 'foreign forbidden forbidden'],
  [{ tags: 'crm' }, 'invalid invalid invalid'],
  [{ product: 'crm' }, 'invalid invalid invalid'],
];
const selfCases = SELF.flatMap(([body, expected]) => {
  const [admin = '', viewer = '', loner = ''] = expected.split(' ');
  return [
    { caller: 'admin' as const, body, word: admin },
    { caller: 'viewer' as const, body, word: viewer },
    { caller: 'loner' as const, body, word: loner },
  ];
});

test.each(selfCases)('$caller changes of itself $body: $word', async ({ caller, body, word }) => {
  const { id, client } = people[caller];
  const before = await readContact(service.api, id);
  expect(outcome(await client.patch(`/api/contacts/${id}`, body))).toBe(WORDS[word]);
  const unchanged = isDeepStrictEqual(await readContact(service.api, id), before);
  expect(unchanged).toBe(word !== 'ok');
});
