// A provider that answers wrongly, slowly, or not at all; and one that is not configured.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT, UnsecuredJWT, generateKeyPair } from 'jose';
import { loadEnv } from '../../src/config/env.js';
import { GoogleProvider, googleSettings } from '../../src/portal/google-provider.js';
import type { Claims } from '../support/identity-provider.js';
import { TEST_SECRET, TestService } from '../support/service.js';
import { SsoService } from '../support/sso.js';

let sso: SsoService;
beforeAll(async () => {
  sso = await SsoService.start();
});
afterEach(() => sso.repair());
afterAll(() => sso.stop());

const clientSecret = () => new TextEncoder().encode(sso.provider.settings.GOOGLE_CLIENT_SECRET);
const seconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset;

/** Signs in a contact with access, whom only the provider's fault can keep out. */
async function expectFault(status: number, reason: string): Promise<void> {
  const { account } = await sso.person();
  const navigator = sso.navigator();
  const visit = await sso.signIn(navigator);
  expect({ status: visit.status, title: /<h1>(.*)<\/h1>/.exec(visit.body)?.[1] }).toEqual({
    status,
    title: status === 503 ? 'Google cannot be reached' : 'Google could not confirm who you are',
  });
  expect(visit.body).not.toContain(account.email);
  expect(await sso.signedIn(navigator)).toBeNull();
  expect(await sso.linkedTo(account)).toEqual([]);
  expect((await sso.lastAudit()).details).toEqual({ method: 'google', reason });
}

describe('An ID token', () => {
  const cases: [string, (claims: Claims) => Promise<string> | string][] = [
    ['with a wrong nonce', (claims) => sso.provider.sign({ ...claims, nonce: 'another' })],
    ['without a nonce', (claims) => sso.provider.sign({ ...claims, nonce: undefined })],
    ['for a foreign audience', (claims) => sso.provider.sign({ ...claims, aud: 'another-client' })],
    [
      'for several audiences, and not for us',
      (claims) => sso.provider.sign({ ...claims, aud: ['contacts', 'x'], azp: 'x' }),
    ],
    ['of a foreign issuer', (claims) => sso.provider.sign({ ...claims, iss: 'https://accounts.google.com' })],
    [
      'that has expired',
      (claims) => sso.provider.sign({ ...claims, iat: seconds(-900), exp: seconds(-300) }),
    ],
    ['without an expiry', (claims) => sso.provider.sign({ ...claims, exp: undefined })],
    ['without a subject', (claims) => sso.provider.sign({ ...claims, sub: undefined })],
    [
      'signed by a foreign key',
      async (claims) => sso.provider.sign(claims, (await generateKeyPair('RS256')).privateKey),
    ],
    [
      'signed with the client secret',
      (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(clientSecret()),
    ],
    ['without a signature', (claims) => new UnsecuredJWT(claims).encode()],
    ['that is none', () => 'garbage'],
  ];

  test.each(cases)('%s signs nobody in', async (_, forge) => {
    sso.provider.forge = forge;
    await expectFault(502, 'bad_answer');
  });

  test('made again from the same claims is accepted: it is the faults above that count', async () => {
    const { contactId } = await sso.person();
    sso.provider.forge = (claims) => sso.provider.sign(claims);
    const navigator = sso.navigator();
    await sso.signIn(navigator);
    expect(await sso.signedIn(navigator)).toBe(contactId);
  });
});

describe('A token endpoint', () => {
  test.each<[string, number, unknown]>([
    ['that fails', 500, 'Internal Server Error'],
    ['that answers a page', 200, '<h1>Hello</h1>'],
    ['that answers no token', 200, { token_type: 'Bearer' }],
    ['that answers no ID token', 200, { access_token: 'x', token_type: 'Bearer', expires_in: 60 }],
    ['that does not know us', 401, { error: 'invalid_client' }],
  ])('%s signs nobody in', async (_, status, body) => {
    sso.provider.broken = { path: '/token', status, body };
    await expectFault(502, 'bad_answer');
  });

  test('that is down by the time of the callback is said to be so', async () => {
    await sso.person();
    const navigator = sso.navigator();
    const url = await sso.untilCallback(navigator);
    await sso.provider.stop();
    const visit = await navigator.open(url);
    expect({ status: visit.status, retryAfter: visit.headers.get('retry-after') }).toEqual({
      status: 503,
      retryAfter: '10',
    });
    expect((await sso.lastAudit()).details).toEqual({ method: 'google', reason: 'unreachable' });
  });
});

describe('Discovery', () => {
  /** A service that has not asked the provider for anything yet. */
  async function withFreshService(work: (service: TestService) => Promise<void>): Promise<void> {
    const service = await TestService.start({
      ...sso.provider.settings,
      PUBLIC_URL: 'https://auth.acme.test',
      PORTAL_SECRET: TEST_SECRET,
    });
    try {
      await work(service);
    } finally {
      await service.stop();
    }
  }
  const start = (service: TestService) => fetch(`${service.url}/auth/sso/google`, { redirect: 'manual' });

  test('is tried again by the next visitor after it failed, and then remembered', async () => {
    await withFreshService(async (service) => {
      await sso.provider.stop();
      const down = await start(service);
      expect({ status: down.status, cookies: down.headers.getSetCookie() }).toEqual({
        status: 503,
        cookies: [],
      });
      expect(await down.text()).toContain('Google cannot be reached');
      await sso.provider.restart();
      const path = '/.well-known/openid-configuration';
      sso.provider.broken = { path, status: 200, body: { issuer: 'https://evil.test' } };
      expect((await start(service)).status).toBe(502);
      sso.provider.broken = undefined;
      expect((await start(service)).status).toBe(302);
      await sso.provider.stop();
      expect((await start(service)).status).toBe(302);
    });
  });

  test('gives up on a provider that never answers', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const issuer = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const settings = googleSettings(
      loadEnv({ NODE_ENV: 'test', ...sso.provider.settings, GOOGLE_ISSUER: issuer }),
    );
    expect(settings?.timeoutSeconds).toBe(10);
    const provider = new GoogleProvider(settings && { ...settings, timeoutSeconds: 0.1 });
    const attempt = { state: 's', nonce: 'n', verifier: 'v'.repeat(43), redirect: '', product: null };
    await expect(provider.authorizationUrl(attempt)).rejects.toMatchObject({ reason: 'unreachable' });
    silent.close();
  });

  test('is refused over plain http in production', async () => {
    const settings = {
      ...sso.provider.settings,
      DATABASE_URL: 'postgres://db/contacts',
      PUBLIC_URL: 'https://auth.acme.test',
      PORTAL_SECRET: TEST_SECRET,
    };
    expect(() => loadEnv({ ...settings, NODE_ENV: 'production' })).toThrow(
      'GOOGLE_ISSUER: must be https in production',
    );
    const provider = new GoogleProvider({
      ...googleSettings(loadEnv({ NODE_ENV: 'test', ...settings })),
      allowHttp: false,
    } as never);
    const attempt = { state: 's', nonce: 'n', verifier: 'v'.repeat(43), redirect: '', product: null };
    await expect(provider.authorizationUrl(attempt)).rejects.toMatchObject({ reason: 'bad_answer' });
  });
});

test('Without a client id and secret, sign-in with Google says that it is not configured', async () => {
  const service = await TestService.start();
  try {
    const { status, body } = await service.as({}).get('/auth/sso/google');
    expect({ status, code: body.error.code, message: body.error.message }).toEqual({
      status: 503,
      code: 'unavailable',
      message: 'Sign-in with Google is not configured.',
    });
  } finally {
    await service.stop();
  }
});

test('A client id without its secret is refused at the start', () => {
  const { GOOGLE_CLIENT_SECRET: _, ...settings } = sso.provider.settings;
  expect(() => loadEnv({ NODE_ENV: 'test', ...settings })).toThrow('GOOGLE_CLIENT_SECRET');
});
