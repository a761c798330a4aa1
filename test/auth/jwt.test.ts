// Portal tokens at the door: the good one, and every forgery with the same refusal.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPair } from 'jose';
import { createCompany, createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';
import { TokenMaker } from '../support/tokens.js';
import { waitUntil } from '../support/wait.js';

let tokens: TokenMaker;
let service: TestService;
let company: string;
let contact: string;

beforeAll(async () => {
  service = await TestService.start(TokenMaker.settings);
  tokens = await TokenMaker.trustedBy(service);
  company = await createCompany(service.api);
  contact = await createContact(service.api, {
    company_id: company,
    email: 'viewer@acme.com',
    portal_access: 1,
  });
});
afterAll(() => service.stop());

const bearer = (token: string) => service.as({ authorization: `Bearer ${token}` });
const statusOf = async (token: string, path = '/api/contacts') => (await bearer(token).get(path)).status;
const now = (): number => Math.floor(Date.now() / 1000);
const withoutId = ({
  ok,
  error: { request_id: _, ...rest },
}: {
  ok: boolean;
  error: { request_id: string };
}) => ({
  ok,
  ...rest,
});

test('a token of a contact with portal access lets its bearer in', async () => {
  expect(await statusOf(await tokens.sign(contact))).toBe(200);
});

test('a small difference of clocks is forgiven', async () => {
  expect(await statusOf(await tokens.sign(contact, { claims: { iat: now() + 2 } }))).toBe(200);
  // It is good for two seconds, which a busy machine may let pass.
  await waitUntil(
    async () => (await statusOf(await tokens.sign(contact, { claims: { exp: now() - 2 } }))) === 200,
  );
});

test('a token that was good a moment ago is refused once it has expired', async () => {
  // The service allows five seconds of difference between clocks, so this one lives for three or four.
  let token = '';
  await waitUntil(async () => {
    token = await tokens.sign(contact, { claims: { exp: now() - 1 } });
    return (await statusOf(token)) === 200;
  });
  await waitUntil(async () => (await statusOf(token)) === 401);
});

describe('is refused like no token at all:', () => {
  const forgeries: [string, () => Promise<string> | string][] = [
    ['alg none', () => tokens.unsigned(contact)],
    ['HS256 under the public key', () => tokens.signWithPublicKey(contact)],
    ['an unknown kid', () => tokens.sign(contact, { header: { kid: 'other' } })],
    [
      'another key under the known kid',
      async () => tokens.sign(contact, { key: (await generateKeyPair('ES256')).privateKey }),
    ],
    ['a foreign audience', () => tokens.sign(contact, { claims: { aud: 'another-portal' } })],
    ['no audience', () => tokens.sign(contact, { claims: { aud: undefined } })],
    ['a foreign issuer', () => tokens.sign(contact, { claims: { iss: 'https://evil.test' } })],
    ['no issuer', () => tokens.sign(contact, { claims: { iss: undefined } })],
    ['no exp', () => tokens.sign(contact, { claims: { exp: undefined } })],
    ['a past exp', () => tokens.sign(contact, { claims: { exp: now() - 60 } })],
    ['no iat', () => tokens.sign(contact, { claims: { iat: undefined } })],
    [
      'an iat in the future',
      () => tokens.sign(contact, { claims: { iat: now() + 3600, exp: now() + 7200 } }),
    ],
    ['an nbf in the future', () => tokens.sign(contact, { claims: { nbf: now() + 3600 } })],
    [
      'an iat of long ago, however late its exp',
      () => tokens.sign(contact, { claims: { iat: now() - 90_000 } }),
    ],
    ['an unknown crit', () => tokens.sign(contact, { header: { crit: ['x-must'], 'x-must': true } })],
    ['another typ', () => tokens.sign(contact, { header: { typ: 'at+jwt' } })],
    ['no typ', () => tokens.sign(contact, { header: { typ: undefined } })],
    ['no sub', () => tokens.sign(contact, { claims: { sub: undefined } })],
    ['a sub that is no text', () => tokens.sign(contact, { claims: { sub: { id: contact } as never } })],
    ['a sub with NUL', () => tokens.sign(`${contact}\0`)],
    ['an unknown contact', () => tokens.sign('ct_nobody00')],
    ['a contact without portal access', async () => tokens.sign(await createContact(service.api))],
    ['a changed payload', async () => (await tokens.sign(contact)).replace(/\.(.)/, '.e30$1')],
    ['a cut signature', async () => (await tokens.sign(contact)).slice(0, -4)],
    ['garbage', () => 'not-a-token'],
    ['dots', () => '..'],
    ['unreadable parts', () => '%%%.%%%.%%%'],
  ];
  test.each(forgeries)('%s', async (_case, forge) => {
    const nobody = await service.as({}).get('/api/contacts');
    expect(nobody.status).toBe(401);
    const response = await bearer(await forge()).get('/api/contacts');
    expect(response.status).toBe(401);
    expect(withoutId(response.body)).toEqual(withoutId(nobody.body));
    expect(response.headers['www-authenticate']).toBe(nobody.headers['www-authenticate']);
  });
});

test.each([
  ['another scheme', (token: string) => ({ authorization: `Basic ${token}` })],
  ['no scheme', (token: string) => ({ authorization: token })],
  ['X-SM-Key', (token: string) => ({ 'x-sm-key': token })],
])('a good token under %s is refused', async (_case, headers) => {
  const response = await service.as(headers(await tokens.sign(contact))).get('/api/contacts');
  expect(response.status).toBe(401);
});

test('a good token in the query is an unknown parameter, not a credential', async () => {
  const token = await tokens.sign(contact);
  expect((await service.as({}).get(`/api/contacts?access_token=${token}`)).status).toBe(401);
  const beside = await service
    .as({ authorization: `Bearer ${token}` })
    .get(`/api/contacts?access_token=${token}`);
  expect([beside.status, beside.body.error.details[0].code]).toEqual([400, 'unknown_parameter']);
});

test('a token beside an API key is refused, whichever is good', async () => {
  const headers = { authorization: `Bearer ${await tokens.sign(contact)}`, 'x-sm-key': 'smk_x' };
  const response = await service.as(headers).get('/api/contacts');
  expect(response.status).toBe(400);
  expect(response.body.error.code).toBe('ambiguous_credentials');
});

describe('takes effect on the very next request:', () => {
  test('withdrawn portal access', async () => {
    const id = await createContact(service.api, { portal_access: 1 });
    const token = await tokens.sign(id);
    expect(await statusOf(token)).toBe(200);
    await service.api.patch(`/api/contacts/${id}`, { portal_access: 0 });
    expect(await statusOf(token)).toBe(401);
    // Granted again, it takes a new sign-in.
    await service.api.patch(`/api/contacts/${id}`, { portal_access: 1 });
    expect(await statusOf(token)).toBe(401);
  });

  test('a change of company, whatever the token says', async () => {
    const [before, after] = [await createCompany(service.api), await createCompany(service.api)];
    const id = await createContact(service.api, {
      company_id: before,
      email: 'mover@acme.com',
      portal_access: 1,
    });
    const [old, next] = [
      await createContact(service.api, { company_id: before }),
      await createContact(service.api, { company_id: after }),
    ];
    const token = await tokens.sign(id, { claims: { company_id: before } });
    expect(await statusOf(token, `/api/contacts/${old}`)).toBe(200);
    await service.api.patch(`/api/contacts/${id}`, { company_id: after });
    expect(await statusOf(token, `/api/contacts/${old}`)).toBe(404);
    expect(await statusOf(token, `/api/contacts/${next}`)).toBe(200);
  });
});
