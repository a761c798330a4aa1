// The access token: what it says, and who verifies it.
import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Browser } from '../support/browser.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const kidOf = (token: string) => decodeProtectedHeader(token).kid;

test('the token carries exactly the documented claims and verifies against the JWKS', async () => {
  const { body } = await portal.service.api.post('/api/companies', { name: 'Acme' });
  const contact = await portal.contact({
    company_id: body.data.id,
    full_name: 'Jane Smith',
    portal_role: 'client_admin',
  });
  await portal.service.api.patch(`/api/contacts/${contact.id}`, {
    photo_url: 'https://cdn.acme.test/jane.jpg',
  });
  const { accessToken } = await portal.signIn(contact);
  const { payload, protectedHeader } = await jwtVerify(accessToken, createLocalJWKSet(await portal.jwks()), {
    issuer: PUBLIC_URL,
    audience: 'portal',
    algorithms: ['ES256'],
  });
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'JWT', kid: expect.any(String) });
  expect(payload).toEqual({
    iss: PUBLIC_URL,
    aud: 'portal',
    sub: contact.id,
    id: contact.id,
    email: contact.email,
    name: 'Jane Smith',
    avatar: 'https://cdn.acme.test/jane.jpg',
    company_id: body.data.id,
    portal_role: 'client_admin',
    products: [],
    sid: expect.stringMatching(/^ses_/),
    jti: expect.any(String),
    iat: expect.any(Number),
    exp: (payload.iat ?? 0) + 900,
  });
});

test('a token always fits into a cookie: one that would not goes without its avatar', async () => {
  const contact = await portal.contact({
    full_name: '\u{1F600}'.repeat(200),
    email: `${'a'.repeat(64)}@x.test`,
  });
  const avatar = `https://cdn.acme.test/${'j'.repeat(1_900)}.jpg`;
  await portal.service.api.patch(`/api/contacts/${contact.id}`, { photo_url: avatar });
  const { accessToken } = await portal.signIn(contact);
  expect(`sm_client${accessToken}`.length).toBeLessThanOrEqual(4_096);
  expect(decodeJwt(accessToken)).toMatchObject({ name: '\u{1F600}'.repeat(200), avatar: null });
});

test('every token has an id of its own, and sessions keep theirs over a refresh', async () => {
  const browser = await portal.signIn(await portal.contact());
  const before = decodeJwt(browser.accessToken);
  await browser.post('/auth/refresh');
  const after = decodeJwt(browser.accessToken);
  expect(after.sid).toBe(before.sid);
  expect(after.jti).not.toBe(before.jti);
});

test('products are product and the tags that name one; a changed tag shows in the next token', async () => {
  const contact = await portal.contact({ product: 'suite', tags: 'vip,crm' });
  const browser = await portal.signIn(contact);
  const products = (from: Browser) => decodeJwt(from.accessToken).products;
  expect(products(browser)).toEqual(['crm', 'suite']);
  await portal.service.api.patch(`/api/contacts/${contact.id}`, { tags: 'vip,analytics' });
  expect((await browser.get('/auth/session')).body.data.products).toEqual(['analytics', 'suite']);
  await browser.post('/auth/refresh');
  expect(products(browser)).toEqual(['analytics', 'suite']);
});

describe('forged and misused tokens are refused', () => {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  let good: string;
  let claims: Record<string, unknown>;
  let kid: string;
  beforeAll(async () => {
    good = (await portal.signIn(await portal.contact())).accessToken;
    claims = decodeJwt(good);
    kid = kidOf(good) ?? '';
    expect(await portal.statusOf(good)).toBe(200);
  });

  test('alg none', async () => {
    for (const alg of ['none', 'None', 'NONE']) {
      expect(await portal.statusOf(`${base64({ alg, typ: 'JWT', kid })}.${base64(claims)}.`)).toBe(401);
    }
  });

  test('HS256 with the public key as its secret', async () => {
    const published = (await portal.jwks()).keys.find((key) => key.kid === kid);
    const { key } = {
      key: await crypto.subtle.importKey(
        'jwk',
        published as never,
        { name: 'ECDSA', namedCurve: 'P-256' },
        true,
        ['verify'],
      ),
    };
    const der = Buffer.from(await crypto.subtle.exportKey('spki', key));
    const pem = `-----BEGIN PUBLIC KEY-----\n${der
      .toString('base64')
      .replace(/(.{64})/g, '$1\n')
      .trimEnd()}\n-----END PUBLIC KEY-----`;
    for (const secret of [pem, `${pem}\n`, der, JSON.stringify(published)]) {
      const content = `${base64({ alg: 'HS256', typ: 'JWT', kid })}.${base64(claims)}`;
      const signature = createHmac('sha256', secret).update(content).digest('base64url');
      expect(await portal.statusOf(`${content}.${signature}`)).toBe(401);
    }
  });

  test('a key of one’s own under the service’s kid, an unknown kid, or sent along', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    for (const header of [
      { kid },
      { kid: 'unknown' },
      {},
      { kid, jwk },
      { kid: 'x', jku: 'https://evil.test/jwks.json' },
    ]) {
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...header })
        .sign(privateKey);
      expect(await portal.statusOf(forged)).toBe(401);
    }
  });

  test('changed claims or a changed signature', async () => {
    const [header = '', , signature = ''] = good.split('.');
    expect(
      await portal.statusOf(`${header}.${base64({ ...claims, portal_role: 'client_admin' })}.${signature}`),
    ).toBe(401);
    expect(await portal.statusOf(`${good.slice(0, -4)}AAAA`)).toBe(401);
    expect(await portal.statusOf(`${good}.x`)).toBe(401);
  });
});

describe('with a shared secret', () => {
  const secret = randomBytes(32).toString('hex');
  const hs256 = (claims: object) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(new TextEncoder().encode(secret));
  let shared: Awaited<ReturnType<PortalService['secondProcess']>>;
  let browser: Browser;
  beforeAll(async () => {
    shared = await portal.secondProcess({ JWT_SECRET: secret });
    browser = await portal.signIn(await portal.contact(), portal.browser(undefined, shared.url));
  });
  afterAll(() => shared.stop());

  test('tokens are HS256, verify with the secret, and no key is published', async () => {
    const key = new TextEncoder().encode(secret);
    const { protectedHeader } = await jwtVerify(browser.accessToken, key, { algorithms: ['HS256'] });
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect((await browser.get('/auth/session')).status).toBe(200);
    expect(await portal.jwks(shared.url)).toEqual({ keys: [] });
  });

  test('a token is accepted in its own mode only, although the session is the same', async () => {
    const { accessToken } = await portal.signIn(await portal.contact());
    expect(await portal.statusOf(accessToken)).toBe(200);
    expect(await portal.statusOf(accessToken, shared.url)).toBe(401);
    const same = await hs256(decodeJwt(accessToken));
    expect(await portal.statusOf(same, shared.url)).toBe(200);
    expect(await portal.statusOf(same)).toBe(401);
  });
});
