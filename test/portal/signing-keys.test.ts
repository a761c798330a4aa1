// The keys that sign portal tokens: made once, rotated by the command line, sealed at rest.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type JWK, createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { type Finished, runEntry } from '../support/process.js';
import { PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const cli = (args: string[], secret = portal.settings.PORTAL_SECRET): Promise<Finished> =>
  runEntry('cli', args, { DATABASE_URL: portal.service.databaseUrl, PORTAL_SECRET: secret });

test('no keys but those of the service are rotated: whoever makes the first ones seals them', async () => {
  const refused = { code: 1, stdout: '', stderr: expect.stringContaining('There are no signing keys yet') };
  expect(await cli(['signing-keys', 'rotate'], 'quite another secret, long enough for all')).toEqual(refused);
  expect(await portal.service.sql('SELECT kid FROM signing_key')).toEqual([]);
});

test('the first keys are made once, however many ask for them at the same time', async () => {
  expect(await portal.service.sql('SELECT kid FROM signing_key')).toEqual([]);
  const sets = await Promise.all(Array.from({ length: 6 }, () => portal.jwks()));
  expect(new Set(sets.map((set) => JSON.stringify(set))).size).toBe(1);
  expect(sets[0]?.keys).toHaveLength(2);
});

describe('signing keys', () => {
  test('rotation by the command line logs nobody out, and every process signs with the new key', async () => {
    const other = await portal.secondProcess();
    try {
      const contact = await portal.contact();
      const before = await portal.signIn(contact);
      const waiting = (
        await portal.service.sql<{ kid: string }>(`SELECT kid FROM signing_key WHERE status = 'next'`)
      )[0]?.kid;
      expect((await portal.jwks()).keys.map((key) => key.kid)).toContain(waiting);

      const rotated = await cli(['signing-keys', 'rotate']);
      expect(rotated).toEqual({ code: 0, stdout: `${waiting}\n`, stderr: '' });

      expect(await portal.statusOf(before.accessToken)).toBe(200);
      const elsewhere = before.at(other.url);
      expect((await elsewhere.get('/auth/session')).status).toBe(200);
      expect((await elsewhere.post('/auth/refresh')).status).toBe(200);
      expect(kidOf(elsewhere.accessToken)).toBe(waiting);
      expect((await elsewhere.get('/auth/session')).status).toBe(200);
      expect(await portal.statusOf(elsewhere.accessToken)).toBe(200);
      expect(kidOf((await portal.signIn(contact)).accessToken)).toBe(waiting);
      await jwtVerify(before.accessToken, createLocalJWKSet(await portal.jwks()));
      await jwtVerify(elsewhere.accessToken, createLocalJWKSet(await portal.jwks()));
    } finally {
      await other.stop();
    }
  });

  test('two rotations, by either name, bring in a key nobody had seen, and it is known at once', async () => {
    const browser = await portal.signIn(await portal.contact());
    const known = (await portal.jwks()).keys.map((key) => key.kid);
    await cli(['keys:signing', 'rotate']);
    const { stdout } = await cli(['keys:signing', 'rotate']);
    expect(known).not.toContain(stdout.trim());
    const old = browser.accessToken;
    await browser.post('/auth/refresh');
    expect(kidOf(browser.accessToken)).toBe(stdout.trim());
    expect([await portal.statusOf(browser.accessToken), await portal.statusOf(old)]).toEqual([200, 200]);
  });

  test('a key is published and verifies for 65 minutes after it was retired', async () => {
    const browser = await portal.signIn(await portal.contact());
    const retired = kidOf(browser.accessToken);
    await cli(['signing-keys', 'rotate']);
    const later = async (time: string) => {
      await portal.service.sql(`UPDATE signing_key SET retired_at = now() - $2::interval WHERE kid = $1`, [
        retired,
        time,
      ]);
      // Which has read no keys before.
      const process = await portal.secondProcess();
      const published = (await portal.jwks()).keys.some(({ kid }) => kid === retired);
      const status = await portal.statusOf(browser.accessToken, process.url);
      await process.stop();
      return { published, status };
    };
    expect(await later('64 minutes')).toEqual({ published: true, status: 200 });
    expect(await later('66 minutes')).toEqual({ published: false, status: 401 });
  });

  test('are listed without their private halves, and each rotation is audited', async () => {
    await portal.signIn(await portal.contact());
    await cli(['signing-keys', 'rotate']);
    const { stdout } = await cli(['signing-keys', 'list', '--json']);
    const keys = JSON.parse(stdout) as { kid: string; status: string }[];
    expect(keys.map(({ status }) => status).toSorted()).toEqual([
      'active',
      'next',
      ...keys.slice(2).map(() => 'retired'),
    ]);
    expect(keys.map((key) => Object.keys(key))).toEqual(keys.map(() => ['kid', 'status', 'created_at']));
    const active = keys.find(({ status }) => status === 'active')?.kid ?? '';
    expect((await cli(['signing-keys', 'list'])).stdout).toContain(`${active}  active  20`);
    const [last] = await portal.service.sql(
      `SELECT actor_kind, details FROM auth_audit_log WHERE event = 'signing_key_rotated' ORDER BY id DESC LIMIT 1`,
    );
    expect(last).toEqual({ actor_kind: 'operator', details: { kid: active } });
  });

  test('rotating with another PORTAL_SECRET is refused and changes nothing', async () => {
    await portal.signIn(await portal.contact());
    const before = await portal.jwks();
    const { code, stderr } = await cli(
      ['signing-keys', 'rotate'],
      'quite another secret, long enough for all',
    );
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('PORTAL_SECRET is not the one'),
    });
    expect(await portal.jwks()).toEqual(before);
  });

  test.each([
    [['signing-keys', 'rotate', 'now'], 'signing-keys rotate takes no further words'],
    [['signing-keys', 'revoke'], 'There is no command "signing-keys revoke"'],
    [['keys:signing', 'list', '--name', 'x'], 'keys:signing list has no option --name'],
  ])('%j is not understood', async (args, message) => {
    expect(await cli(args)).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('the usage names the commands', async () => {
    const { stdout } = await cli(['--help']);
    expect(stdout).toContain('signing-keys rotate');
    expect(stdout).toContain('keys:signing rotate');
  });

  test('private halves are sealed in the table and published nowhere', async () => {
    await portal.signIn(await portal.contact());
    for (const key of (await portal.jwks()).keys) {
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
    const rows = await portal.service.sql<{ public_jwk: JWK; sealed_private_jwk: Buffer }>(
      'SELECT * FROM signing_key',
    );
    expect(rows.length).toBeGreaterThan(1);
    for (const { public_jwk, sealed_private_jwk } of rows) {
      expect(public_jwk).not.toHaveProperty('d');
      expect(sealed_private_jwk.toString('latin1')).not.toMatch(/"d"|kty|P-256/);
    }
  });
});
