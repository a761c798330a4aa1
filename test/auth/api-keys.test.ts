// API keys over HTTP: issuing, rotating, revoking, and every way in which one is refused.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TestService } from '../support/service.js';

const KEY = /^smk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})([0-9A-Za-z]{6})$/;

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

interface Issued {
  id: string;
  key: string;
}

async function issue(fields: object = {}): Promise<Issued> {
  const response = await service.api.post('/api/keys', {
    name: 'backend',
    scopes: ['contacts:read'],
    ...fields,
  });
  expect(response.status).toBe(201);
  return response.body.data as Issued;
}

const statusWith = async (key: string): Promise<number> =>
  (await service.as({ 'x-sm-key': key }).get('/api/contacts')).status;
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

describe('issuing', () => {
  test('answers the key once, with everything about it', async () => {
    const body = {
      name: ' billing ',
      scopes: ['contacts:read', 'contacts:write'],
      allowed_cidrs: ['127.0.0.0/8'],
    };
    const response = await service.api.post('/api/keys', body);
    expect(response.status).toBe(201);
    expect(response.headers['cache-control']).toBe('no-store');
    const { data } = response.body;
    expect(data).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{12}$/),
      key: expect.stringMatching(KEY),
      ...body,
      name: 'billing',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
      previous_expires_at: null,
      rate_limit: null,
    });
    expect(KEY.exec(data.key)?.[1]).toBe(data.id);
    expect(await statusWith(data.key)).toBe(200);
  });

  test('lists every key, newest first, and no secret', async () => {
    const [older, newer] = [await issue(), await issue()];
    const response = await service.api.get('/api/keys');
    const ids = response.body.data.items.map(({ id }: Issued) => id);
    expect(ids.slice(0, 2)).toEqual([newer.id, older.id]);
    for (const { key } of [older, newer]) expect(response.text).not.toContain(KEY.exec(key)?.[2]);
    expect(response.text).not.toMatch(/hash|secret/);
  });

  test('stores no secret in clear', async () => {
    const { id, key } = await issue();
    const [, , secret = ''] = KEY.exec(key) ?? [];
    const rotated = await service.api.post(`/api/keys/${id}/rotate`, {});
    const [row] = await service.sql<{ stored: string }>(
      `SELECT api_key::text || encode(secret_hash, 'escape') || encode(previous_secret_hash, 'escape') AS stored
       FROM api_key WHERE id = $1`,
      [id],
    );
    expect(row?.stored).toContain(id);
    for (const text of [secret, KEY.exec(rotated.body.data.key)?.[2] ?? '']) {
      expect(row?.stored).not.toContain(text);
      expect(row?.stored).not.toContain(Buffer.from(text).toString('hex'));
      expect(row?.stored).not.toContain(Buffer.from(text, 'base64url').toString('hex'));
    }
  });

  test.each([
    ['nothing', {}, ['name', 'scopes']],
    ['no scope', { name: 'x', scopes: [] }, ['scopes']],
    ['an unknown scope', { name: 'x', scopes: ['contacts:delete'] }, ['scopes']],
    ['a scope twice', { name: 'x', scopes: ['contacts:read', 'contacts:read'] }, ['scopes']],
    ['scopes as text', { name: 'x', scopes: 'contacts:read' }, ['scopes']],
    ['a blank name', { name: '  ', scopes: ['contacts:read'] }, ['name']],
    [
      'an expiry without offset',
      { name: 'x', scopes: ['contacts:read'], expires_at: '2999-01-01T00:00:00' },
      ['expires_at'],
    ],
    [
      'a network that is none',
      { name: 'x', scopes: ['contacts:read'], allowed_cidrs: ['10.0.0.0/99'] },
      ['allowed_cidrs'],
    ],
    [
      'an address without prefix',
      { name: 'x', scopes: ['contacts:read'], allowed_cidrs: ['10.0.0.1'] },
      ['allowed_cidrs'],
    ],
    ...['10.1/16', '10/8', '192.168.010.0/24', '::ffff:10.0.0.0/104', 'fe80::1%eth0/64'].map(
      (network) =>
        [
          `the network ${network}, which would be another one or nobody's`,
          { name: 'x', scopes: ['contacts:read'], allowed_cidrs: [network] },
          ['allowed_cidrs'],
        ] as [string, object, string[]],
    ),
    ['no network', { name: 'x', scopes: ['contacts:read'], allowed_cidrs: [] }, ['allowed_cidrs']],
    ['an id of its own', { name: 'x', scopes: ['contacts:read'], id: 'aaaaaaaaaaaa' }, ['id']],
  ])('refuses %s', async (_case, body, fields) => {
    const before = await service.sql('SELECT id FROM api_key');
    const response = await service.api.post('/api/keys', body);
    expect(response.status).toBe(400);
    expect(response.body.error.details.map(({ field }: { field: string }) => field)).toEqual(fields);
    expect(await service.sql('SELECT id FROM api_key')).toHaveLength(before.length);
  });
});

describe('rotating', () => {
  const rotate = (id: string, body: object) => service.api.post(`/api/keys/${id}/rotate`, body);

  test('gives a new secret and keeps the old one alive for a day', async () => {
    const { id, key } = await issue();
    const { body, status } = await rotate(id, {});
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ id, key: expect.stringMatching(KEY) });
    expect(body.data.key).not.toBe(key);
    const overlap = Date.parse(body.data.previous_expires_at) - Date.now();
    expect(Math.round(overlap / 3_600_000)).toBe(24);
    expect([await statusWith(key), await statusWith(body.data.key)]).toEqual([200, 200]);
  });

  test('ends the old secret when its overlap ends', async () => {
    const { id, key } = await issue();
    const { body } = await rotate(id, { overlap_seconds: 60 });
    expect(await statusWith(key)).toBe(200);
    await service.sql(`UPDATE api_key SET previous_expires_at = now() - interval '1 ms' WHERE id = $1`, [id]);
    await heard(key);
    expect([await statusWith(key), await statusWith(body.data.key)]).toEqual([401, 200]);
  });

  test('with overlap 0 ends the old secret at once', async () => {
    const { id, key } = await issue();
    expect(await statusWith(key)).toBe(200);
    const { body } = await rotate(id, { overlap_seconds: 0 });
    await heard(key);
    expect(body.data.previous_expires_at).toBeNull();
    expect([await statusWith(key), await statusWith(body.data.key)]).toEqual([401, 200]);
  });

  test('twice keeps the last two secrets only', async () => {
    const { id, key } = await issue();
    const second = (await rotate(id, {})).body.data.key as string;
    const third = (await rotate(id, {})).body.data.key as string;
    await heard(key);
    expect([await statusWith(key), await statusWith(second), await statusWith(third)]).toEqual([
      401, 200, 200,
    ]);
  });

  test.each([[-1], [1.5], ['60'], [null], [31 * 86_400]])(
    'refuses an overlap of %j',
    async (overlap_seconds) => {
      const { id, key } = await issue();
      expect((await rotate(id, { overlap_seconds })).status).toBe(400);
      expect(await statusWith(key)).toBe(200);
    },
  );

  test.each([
    ['zzzzzzzzzzzz', 404],
    ['x', 404],
    ['%20', 404],
    ["';--", 404],
    ['a%00b', 400],
  ])('of the key %j, which is none, is %d', async (id, status) => {
    expect((await rotate(id, {})).status).toBe(status);
  });

  test('does not bring back a key that was revoked or has expired', async () => {
    const revoked = await issue();
    await service.api.delete(`/api/keys/${revoked.id}`);
    const expired = await issue({ expires_at: inMs(-1_000) });
    for (const { id } of [revoked, expired]) expect((await rotate(id, {})).status).toBe(404);
  });
});

describe('revoking', () => {
  test('ends a key for good', async () => {
    const { id, key } = await issue();
    expect(await statusWith(key)).toBe(200);
    const response = await service.api.delete(`/api/keys/${id}`);
    expect([response.status, response.body.data]).toEqual([200, { id, revoked: true }]);
    await heard(key);
    expect(await statusWith(key)).toBe(401);
    expect((await service.api.delete(`/api/keys/${id}`)).status).toBe(404);
  });

  test('an unknown key is 404', async () => {
    expect((await service.api.delete('/api/keys/zzzzzzzzzzzz')).status).toBe(404);
  });
});

/** Waits until this process has heard of a change to `key`, as it must within a second. */
async function heard(key: string): Promise<void> {
  const until = performance.now() + 1_000;
  while ((await statusWith(key)) === 200 && performance.now() < until) await new Promise(setImmediate);
}
