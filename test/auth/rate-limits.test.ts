// How often a caller may ask: what it is told, what it is refused, and how a limit is set.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { createPortalUser, signIn } from '../support/portal-users.js';
import { type Client, PATIENT, TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start({
    RATE_LIMIT_KEY: '100000',
    RATE_LIMIT_USER: '5',
    // All that is sent at once here is to be counted.
    HTTP_MAX_REQUESTS: '1000',
    DATABASE_POOL_QUEUE: '1000',
    ...PATIENT,
  });
});
afterAll(() => service.stop());

interface Limited {
  id: string;
  client: Client;
}

async function withLimit(rate_limit: number | null | undefined): Promise<Limited> {
  const body = { name: 'limited', scopes: ['contacts:read'], rate_limit };
  const { data } = (await service.api.post('/api/keys', body)).body;
  expect(data.rate_limit).toBe(rate_limit ?? null);
  return { id: data.id, client: service.as({ 'x-sm-key': data.key }) };
}

const list = (client: Client): Promise<Response> => client.get('/api/contacts?limit=1');
const statuses = async (client: Client, count: number): Promise<number[]> =>
  (await Promise.all(Array.from({ length: count }, () => list(client)))).map(({ status }) => status);
const granted = (all: readonly number[]): number => all.filter((status) => status === 200).length;
/** `seconds`, or down to half of them where the machine stalls meanwhile. */
const about = (seconds: number): string =>
  `(${Array.from({ length: Math.ceil(seconds / 2) }, (_, less) => seconds - less).join('|')})`;
const tells = (policy: string, left: number, seconds: number) =>
  expect.stringMatching(new RegExp(`^"${policy}";r=${left};t=${about(seconds)}$`));
const limitTo = (id: string, rate_limit: number | null) =>
  service.api.patch(`/api/keys/${id}`, { rate_limit });

describe('each answer tells', () => {
  test('the limit and what is left of it, as structured fields', async () => {
    const { client } = await withLimit(3);
    const answers = [await list(client), await list(client), await list(client)];
    expect(answers.map(({ status, headers }) => [status, headers['ratelimit-policy']])).toEqual(
      Array.from({ length: 3 }, () => [200, '"key";q=3;w=60']),
    );
    expect(answers.map(({ headers }) => headers.ratelimit)).toEqual(
      [2, 1, 0].map((left) => tells('key', left, 20)),
    );
  });

  test('the default, where the key has no limit of its own', async () => {
    const { headers } = await list((await withLimit(undefined)).client);
    expect(headers['ratelimit-policy']).toBe('"key";q=100000;w=60');
    // What was taken is given back within a millisecond.
    expect(headers.ratelimit).toMatch(/^"key";r=(99999|100000);t=[01]$/);
  });

  test('nothing, where there is no limit, and none is ever refused', async () => {
    const { client } = await withLimit(0);
    const answers = await Promise.all(Array.from({ length: 30 }, () => list(client)));
    for (const { status, headers } of answers) {
      expect(status).toBe(200);
      expect(headers).not.toHaveProperty('ratelimit');
      expect(headers).not.toHaveProperty('ratelimit-policy');
    }
  });

  test('it also when it is a failure', async () => {
    const { client } = await withLimit(5);
    const answers = [await client.get('/api/companies'), await client.get('/api/contacts?page=0')];
    expect(answers.map(({ status, headers }) => [status, headers.ratelimit])).toEqual([
      [403, tells('key', 4, 12)],
      [400, tells('key', 3, 12)],
    ]);
  });
});

describe('beyond the limit', () => {
  test('a request is refused with a time in whole seconds', async () => {
    const { client } = await withLimit(2);
    expect(await statuses(client, 2)).toEqual([200, 200]);
    const { status, body, headers } = await list(client);
    expect([status, body.error.code]).toEqual([429, 'rate_limited']);
    expect(headers['retry-after']).toMatch(new RegExp(`^${about(30)}$`));
    expect(headers.ratelimit).toEqual(tells('key', 0, 30));
  });

  test('of many at once just so many are answered', async () => {
    const { client } = await withLimit(40);
    const begun = performance.now();
    const all = await statuses(client, 100);
    const refilled = Math.floor((performance.now() - begun) / 1_500);
    expect(granted(all)).toBeGreaterThanOrEqual(40);
    expect(granted(all)).toBeLessThanOrEqual(40 + refilled);
    expect(all.filter((status) => status === 429)).toHaveLength(100 - granted(all));
  });

  test('requests are answered again as the bucket refills, and what was refused cost nothing', async () => {
    const { client } = await withLimit(120);
    expect(granted(await statuses(client, 200))).toBeGreaterThanOrEqual(120);
    await waitUntil(async () => (await list(client)).status === 429);
    await waitUntil(async () => (await list(client)).status === 200);
  });

  test('only that caller is refused', async () => {
    const [one, other] = [await withLimit(1), await withLimit(1)];
    expect(await statuses(one.client, 1)).toEqual([200]);
    expect(await statuses(one.client, 1)).toEqual([429]);
    expect(await statuses(other.client, 1)).toEqual([200]);
  });
});

test('a portal user has one limit, however many sessions', async () => {
  const user = await createPortalUser(service);
  const again = await signIn(service, user.id);
  const answers = [await list(user.client), await list(again)];
  expect(answers.map(({ headers }) => headers.ratelimit)).toEqual([
    tells('user', 4, 12),
    tells('user', 3, 12),
  ]);
  expect(granted([...(await statuses(user.client, 4)), ...(await statuses(again, 4))])).toBe(3);
  expect(granted(await statuses((await createPortalUser(service)).client, 1))).toBe(1);
});

test('a limit costs no query per request', async () => {
  const { client } = await withLimit(10_000);
  await list(client);
  const begun = performance.now();
  const statements = await statementsDuring(() => statuses(client, 300));
  expect(statements.filter((sql) => sql.includes('row_to_json')).length).toBeGreaterThan(0);
  // So many at once, and one each 50 ms.
  const told = 100 + (performance.now() - begun) / 50;
  expect(statements.filter((sql) => sql.includes('rate_limit')).length).toBeLessThan(told);
});

describe('a limit changed while it is in use', () => {
  test('counts within a second when it is raised', async () => {
    const { id, client } = await withLimit(1);
    expect(await statuses(client, 1)).toEqual([200]);
    expect(await statuses(client, 1)).toEqual([429]);
    const changed = await limitTo(id, 6_000);
    expect([changed.status, changed.body.data.rate_limit]).toEqual([200, 6_000]);
    // The old one would take a minute.
    await waitUntil(async () => granted(await statuses(client, 1)) === 1);
  });

  test('counts when it is lowered, taken away or left to the default', async () => {
    const { id, client } = await withLimit(6_000);
    const policyIs = (policy: string | undefined) => async () =>
      (await list(client)).headers['ratelimit-policy'] === policy;
    await waitUntil(policyIs('"key";q=6000;w=60'));
    await limitTo(id, 4);
    await waitUntil(policyIs('"key";q=4;w=60'));
    await waitUntil(async () => granted(await statuses(client, 10)) === 0);
    await limitTo(id, 0);
    await waitUntil(policyIs(undefined));
    expect(granted(await statuses(client, 10))).toBe(10);
    await limitTo(id, null);
    await waitUntil(policyIs('"key";q=100000;w=60'));
  });

  test.each([{}, { rate_limit: -1 }, { rate_limit: 1.5 }, { rate_limit: '5' }, { rate_limit: 1e9 }])(
    'is refused when it is %j',
    async (body) => {
      const { id } = await withLimit(5);
      const { status, body: answer } = await service.api.patch(`/api/keys/${id}`, body);
      expect([status, answer.error.field]).toEqual([400, 'rate_limit']);
    },
  );

  test('is recorded, and not possible for a key that has ended or was never there', async () => {
    const { id } = await withLimit(5);
    await limitTo(id, 7);
    const { body } = await service.api.get(`/api/audit?subject_id=${id}&event=key_limited`);
    expect(body.data.items.map(({ details }: { details: object }) => details)).toEqual([{ rate_limit: 7 }]);
    await service.api.delete(`/api/keys/${id}`);
    expect((await limitTo(id, 8)).status).toBe(404);
    expect((await limitTo('nosuchkey000', 8)).status).toBe(404);
  });

  test('is no business of a key without keys:manage', async () => {
    const { id } = await withLimit(5);
    const reader = await service.withScopes('contacts:read');
    const { status, body } = await reader.patch(`/api/keys/${id}`, { rate_limit: 9 });
    expect([status, body.error.code]).toEqual([403, 'insufficient_scope']);
  });
});
