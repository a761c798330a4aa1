// Looking for keys by trying them: limited by network, without harm to those who share it and have a good one.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newSecret, newKeyId, formatApiKey } from '../../src/auth/api-key-format.js';
import { ApiKeysService } from '../../src/auth/api-keys.service.js';
import { OPERATOR } from '../../src/auth/caller.js';
import { TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { waitUntil } from '../support/wait.js';

const LIMIT = 6;

let service: TestService;
beforeEach(async () => {
  service = await TestService.start({ RATE_LIMIT_WRONG_KEYS: String(LIMIT), TRUST_PROXY: '127.0.0.1/32' });
});
afterEach(() => service.stop());

const wrongKey = (): string => formatApiKey({ id: newKeyId(), secret: newSecret() });

async function answerTo(key: string, address: string, headers: object = {}) {
  const { status, headers: own } = await service
    .as({ 'x-sm-key': key, 'x-forwarded-for': address, ...headers })
    .get('/api/contacts');
  return { status, retryAfter: own['retry-after'] };
}

async function guess(address: string, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let time = 0; time < count; time += 1) all.push((await answerTo(wrongKey(), address)).status);
  return all;
}

const unauthenticated = (count: number): number[] => Array.from({ length: count }, () => 401);
const issue = async (): Promise<string> =>
  (await service.app.get(ApiKeysService).create(OPERATOR, { name: 'good', scopes: ['contacts:read'] })).key;

test('a network that sends too many is refused with a time, and no further key is looked up', async () => {
  expect(await guess('203.0.113.7', LIMIT)).toEqual(unauthenticated(LIMIT));
  const statements = await statementsDuring(async () => {
    expect(await answerTo(wrongKey(), '203.0.113.7')).toEqual({ status: 429, retryAfter: '10' });
  });
  expect(statements.filter((sql) => sql.includes('FROM api_key'))).toEqual([]);
  expect(await guess('203.0.113.8', 1)).toEqual([401]);
});

test('mistyped and ended keys count, whatever header carries them', async () => {
  const good = await issue();
  const wrongSecret = formatApiKey({ id: good.split('_')[1] ?? '', secret: newSecret() });
  expect((await answerTo('smk_nonsense', '203.0.113.7')).status).toBe(401);
  expect((await answerTo(wrongSecret, '203.0.113.7')).status).toBe(401);
  const bearer = { authorization: `Bearer ${wrongKey()}`, 'x-forwarded-for': '203.0.113.7' };
  for (let time = 2; time < LIMIT; time += 1)
    expect((await service.as(bearer).get('/api/contacts')).status).toBe(401);
  const refused = await service.as(bearer).get('/api/contacts');
  expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
});

test('a proxy that adds the port makes no clients of one, nor one of all', async () => {
  expect(await guess('203.0.113.7:1', LIMIT - 1)).toEqual(unauthenticated(LIMIT - 1));
  expect(await guess('203.0.113.7:2', 2)).toEqual([401, 429]);
  expect(await guess('203.0.113.8:2', 1)).toEqual([401]);
});

test('one IPv6 subscriber is one client, and so is an IPv4 address written as IPv6', async () => {
  expect(await guess('2001:db8:1:2::1', LIMIT)).toEqual(unauthenticated(LIMIT));
  expect(await guess('2001:db8:1:2:ffff::9', 1)).toEqual([429]);
  expect(await guess('2001:db8:1:3::1', 1)).toEqual([401]);
  expect(await guess('203.0.113.7', LIMIT)).toEqual(unauthenticated(LIMIT));
  expect(await guess('::ffff:203.0.113.7', 1)).toEqual([429]);
});

test('who shares the network goes on with a key that is known, and others may ask after a while', async () => {
  const [known, unknown] = [await issue(), await issue()];
  let network = 0;
  // On a busy machine the service may for a moment not be sure to hear of changes, and then asks: so several networks.
  await waitUntil(async () => {
    const address = `2001:db8:0:${(network += 1)}::1`;
    expect((await answerTo(known, address)).status).toBe(200);
    await guess(address, LIMIT);
    expect((await answerTo(unknown, address)).status).toBe(429);
    return (await answerTo(known, address)).status === 200;
  });
  expect((await answerTo(unknown, '203.0.113.8')).status).toBe(200);
});

test('a request without any credential is no guess', async () => {
  const nobody = service.as({ 'x-forwarded-for': '203.0.113.7' });
  for (let time = 0; time < LIMIT * 2; time += 1)
    expect((await nobody.get('/api/contacts')).status).toBe(401);
  expect(await guess('203.0.113.7', 1)).toEqual([401]);
});
