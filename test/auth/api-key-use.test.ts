// An API key at the door: how it is sent, what refuses it, where it may come from, what is noted of it.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { formatApiKey, newKeyId, newSecret } from '../../src/auth/api-key-format.js';
import { ApiKeysRepository } from '../../src/auth/api-keys.repository.js';
import { SCOPES, type Scope } from '../../src/auth/caller.js';
import { loadEnv } from '../../src/config/env.js';
import { TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';

let service: TestService;
let good: string;
beforeAll(async () => {
  // The connection itself, 127.0.0.1, is the one trusted proxy here.
  service = await TestService.start({ TRUST_PROXY: '127.0.0.1' });
  good = (await issue()).key;
});
afterAll(() => service.stop());

async function issue(fields: object = {}): Promise<{ id: string; key: string }> {
  const response = await service.api.post('/api/keys', {
    name: 'backend',
    scopes: ['contacts:read'],
    ...fields,
  });
  expect(response.status).toBe(201);
  return response.body.data as { id: string; key: string };
}

const list = (headers: Record<string, string>): Promise<Response> => service.as(headers).get('/api/contacts');
const statusOf = async (headers: Record<string, string>): Promise<number> => (await list(headers)).status;
const answer = ({ body, headers }: Response) => ({
  ...body,
  error: { ...body.error, request_id: '' },
  challenge: headers['www-authenticate'],
});

describe('a key that is not good gets the same 401 whatever its fault:', () => {
  const flip = (text: string, at: number): string =>
    text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1);
  const faults: [string, () => Promise<string> | string][] = [
    ['empty', () => ''],
    ['garbage', () => 'garbage'],
    ['only its prefix', () => 'smk_'],
    ['a typo in its secret', () => flip(good, 30)],
    ['a typo in its checksum', () => flip(good, good.length - 1)],
    ['a typo in its id', () => flip(good, 6)],
    ['cut short', () => good.slice(0, -1)],
    ['too long', () => `${good}a`],
    ['in capitals', () => good.toUpperCase()],
    ['twice', () => `${good}, ${good}`],
    ['10,000 characters', () => `smk_${'a'.repeat(10_000)}`],
    ['sound, but of an unknown key', () => formatApiKey({ id: newKeyId(), secret: newSecret() })],
    ['of a known id with another secret', () => formatApiKey({ id: good.slice(4, 16), secret: newSecret() })],
    ['expired', async () => (await issue({ expires_at: new Date(Date.now() - 1_000).toISOString() })).key],
    [
      'revoked',
      async () => {
        const { id, key } = await issue();
        await service.api.delete(`/api/keys/${id}`);
        return key;
      },
    ],
    ['from a foreign network', async () => (await issue({ allowed_cidrs: ['10.0.0.0/8'] })).key],
  ];
  test.each(faults)('%s', async (_case, make) => {
    const key = await make();
    const nobody = await list({});
    expect([nobody.status, nobody.body.error.code]).toEqual([401, 'unauthenticated']);
    for (const [header, value] of [
      ['x-sm-key', key],
      ['authorization', `Bearer ${key}`],
    ] as const) {
      const response = await list({ [header]: value });
      expect([response.status, answer(response)]).toEqual([401, answer(nobody)]);
    }
  });
});

test('a typo is refused without a query', async () => {
  const typo = `${good.slice(0, -1)}${good.endsWith('a') ? 'b' : 'a'}`;
  const statements = await statementsDuring(async () => {
    expect(await statusOf({ 'x-sm-key': typo })).toBe(401);
  });
  expect(statements.filter((text) => text.includes('api_key'))).toEqual([]);
});

describe('is taken', () => {
  test('in X-SM-Key, however that is spelled, and as a bearer token', async () => {
    expect(await statusOf({ 'x-sm-key': good })).toBe(200);
    expect(await statusOf({ 'X-SM-KEY': good })).toBe(200);
    expect(await statusOf({ authorization: `Bearer ${good}` })).toBe(200);
    expect(await statusOf({ authorization: `bearer ${good}` })).toBe(200);
  });

  test.each([
    ['query', (path: string) => service.as({}).get(`${path}?x-sm-key=${good}&api_key=${good}`)],
    ['cookie', (path: string) => service.as({ cookie: `x-sm-key=${good}; sm_client=${good}` }).get(path)],
    ['body', (path: string) => service.as({}).post(path, { 'x-sm-key': good, 'X-SM-Key': good })],
    ['Basic authorization', (path: string) => service.as({ authorization: `Basic ${good}` }).get(path)],
    [
      'Proxy-Authorization',
      (path: string) => service.as({ 'proxy-authorization': `Bearer ${good}` }).get(path),
    ],
  ])('never in the %s', async (_place, send) => {
    expect((await send('/api/contacts')).status).toBe(401);
  });

  test.each([
    ['a portal token', 'Bearer a.b.c'],
    ['the same key', null],
    ['an empty Authorization', ''],
  ])('never beside %s', async (_case, authorization) => {
    const response = await list({ 'x-sm-key': good, authorization: authorization ?? `Bearer ${good}` });
    expect([response.status, response.body.error.code]).toEqual([400, 'ambiguous_credentials']);
  });

  test.each(['x-sm-key', 'authorization'])('never beside the cookie of a portal, in %s', async (header) => {
    const sent = { [header]: header === 'x-sm-key' ? good : `Bearer ${good}`, cookie: 'sm_client=a.b.c' };
    const response = await list(sent);
    expect([response.status, response.body.error.code]).toEqual([400, 'ambiguous_credentials']);
  });
});

test.each<[Scope, 'get' | 'post' | 'patch' | 'delete', string]>([
  ['contacts:read', 'get', '/api/contacts'],
  ['contacts:read', 'get', '/api/contacts/ct_a1b2c3d4'],
  ['contacts:write', 'post', '/api/contacts'],
  ['contacts:write', 'patch', '/api/contacts/ct_a1b2c3d4'],
  ['companies:read', 'get', '/api/companies'],
  ['companies:read', 'get', '/api/companies/co_a1b2c3d4'],
  ['companies:write', 'post', '/api/companies'],
  ['companies:write', 'patch', '/api/companies/co_a1b2c3d4'],
  ['keys:manage', 'get', '/api/keys'],
  ['keys:manage', 'post', '/api/keys'],
  ['keys:manage', 'post', '/api/keys/k3v9x2m4q8r1/rotate'],
  ['keys:manage', 'delete', '/api/keys/k3v9x2m4q8r1'],
])('%s alone opens %s %s', async (scope, method, path) => {
  const others = SCOPES.filter((other) => other !== scope);
  const send = async (scopes: Scope[]): Promise<Response> => {
    const client = await service.withScopes(...scopes);
    return method === 'post' || method === 'patch' ? client[method](path, {}) : client[method](path);
  };
  const refused = await send(others);
  expect([refused.status, refused.body.error.code]).toEqual([403, 'insufficient_scope']);
  expect(refused.body.error.message).toContain(scope);
  expect([401, 403]).not.toContain((await send([scope])).status);
});

describe('a list of networks', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });

  test.each([
    [['127.0.0.0/8'], {}, 200],
    [['127.0.0.1/32'], {}, 200],
    [['::1/128'], {}, 401],
    [['10.0.0.0/8'], from('10.1.2.3'), 200],
    [['10.0.0.0/8'], from('::ffff:10.1.2.3'), 200],
    [['10.0.0.0/8'], from('11.1.2.3'), 401],
    [['10.0.0.0/8', '2001:db8::/32'], from('2001:db8::7'), 200],
    [['2001:db8::/32'], from('2001:db9::7'), 401],
    [['0.0.0.0/0'], from('2001:db8::7'), 401],
    [['10.0.0.0/8'], from('10.1.2.3, 192.0.2.1'), 401],
    [['10.0.0.0/8'], from('192.0.2.1, 10.1.2.3'), 200],
    [['10.0.0.0/8'], from('10.1.2.3:443'), 200],
    [['2001:db8::/32'], from('[2001:db8::7]:443'), 200],
    // What is said in the place of an address is not the proxy's own.
    [['127.0.0.0/8'], from('unknown'), 401],
    [['10.0.0.0/8'], from('unknown'), 401],
    [['10.0.0.0/8'], from(''), 401],
  ])('%j with %j answers %d', async (allowed_cidrs, headers, status) => {
    const { key } = await issue({ allowed_cidrs });
    expect(await statusOf({ 'x-sm-key': key, ...headers })).toBe(status);
  });
});

describe('last_used_at', () => {
  const lastUse = async (id: string): Promise<string | null> => {
    const { data } = (await service.api.get('/api/keys')).body;
    return data.items.find((key: { id: string }) => key.id === id).last_used_at as string | null;
  };
  async function noted(id: string): Promise<string> {
    for (;;) {
      const moment = await lastUse(id);
      if (moment) return moment;
    }
  }

  test('is noted, at most once a minute', async () => {
    const { id, key } = await issue();
    expect(await lastUse(id)).toBeNull();
    await list({ 'x-sm-key': key });
    const first = await noted(id);
    expect(Math.abs(Date.now() - Date.parse(first))).toBeLessThan(60_000);
    await service.sql(`UPDATE api_key SET last_used_at = 'epoch' WHERE id = $1`, [id]);
    for (let use = 0; use < 5; use += 1) await list({ 'x-sm-key': key });
    expect(await lastUse(id)).toBe('1970-01-01T00:00:00.000Z');
  });

  test('is noted at most once a minute by all processes together', async () => {
    const { id } = await issue();
    const keys = service.app.get(ApiKeysRepository);
    await keys.touch([id]);
    const first = await lastUse(id);
    await keys.touch([id]);
    expect(await lastUse(id)).toBe(first);
    await service.sql(`UPDATE api_key SET last_used_at = now() - interval '61 seconds' WHERE id = $1`, [id]);
    await keys.touch([id]);
    expect(Date.parse((await lastUse(id)) ?? '')).toBeGreaterThanOrEqual(Date.parse(first ?? ''));
  });

  test('is not noted of a key that is refused', async () => {
    const { id, key } = await issue({ allowed_cidrs: ['10.0.0.0/8'] });
    expect(await statusOf({ 'x-sm-key': key })).toBe(401);
    expect(await lastUse(id)).toBeNull();
  });
});

test.each(['proxy.internal', '10.0.0.0/8,10.1/16'])(
  'TRUST_PROXY refuses %s, before anything starts',
  (TRUST_PROXY) => {
    expect(() => loadEnv({ TRUST_PROXY })).toThrow('TRUST_PROXY: must be addresses or networks');
  },
);

test('TRUST_PROXY takes addresses, networks and the names of private ranges', () => {
  const given = ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1', '::1', 'loopback', 'uniquelocal'];
  expect(loadEnv({ TRUST_PROXY: given.join(', ') }).TRUST_PROXY).toEqual(given);
});
