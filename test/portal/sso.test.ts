// Signing in with Google: there, back, and who it is that arrives.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DataSource } from 'typeorm';
import { transaction } from '../../src/common/transaction.js';
import { GoogleIdentitiesRepository } from '../../src/portal/google-identities.repository.js';
import { waitUntil } from '../support/wait.js';
import { parseCookie } from '../support/browser.js';
import { AUTH, CALLBACK, PORTAL, SIBLING, START, SsoService } from '../support/sso.js';

let sso: SsoService;
beforeAll(async () => {
  sso = await SsoService.start();
});
afterEach(() => sso.repair());
afterAll(() => sso.stop());

const cookiesSet = (headers: Headers) => headers.getSetCookie().map(parseCookie);

describe('The way to Google', () => {
  test('is a redirect with an authorization code request, PKCE, state and nonce', async () => {
    const { url, trail, headers } = await sso.navigator().open(START, { before: /\/interaction\// });
    const request = new URL(trail[1] ?? '');
    expect(`${request.origin}${request.pathname}`).toBe(`${sso.provider.issuer}/auth`);
    expect(Object.fromEntries(request.searchParams)).toEqual({
      client_id: 'contacts',
      response_type: 'code',
      redirect_uri: `${START}/callback`,
      scope: 'openid email',
      prompt: 'select_account',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    expect(url).toContain('/interaction/');
    expect(headers.get('location')).not.toContain('secret');
  });

  test('leaves a sealed cookie that only our own callback gets, for ten minutes', async () => {
    const response = await fetch(`${sso.service.url}/auth/sso/google?redirect=${PORTAL}/home&product=crm`, {
      redirect: 'manual',
    });
    expect(response.status).toBe(302);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const state = new URL(response.headers.get('location') ?? '').searchParams.get('state') ?? '';
    const [cookie, ...others] = cookiesSet(response.headers);
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({
      name: `sm_sso_${state.slice(0, 16)}`,
      attributes: { path: '/auth/sso', httponly: '', secure: '', samesite: 'Lax', 'max-age': '600' },
    });
    const content = Buffer.from(cookie?.value ?? '', 'base64url').toString('latin1');
    expect(content).not.toContain(state);
    expect(content).not.toContain('portal.acme.test');
  });

  test('does not take its own address from the Host header', async () => {
    const response = await fetch(`${sso.service.url}/auth/sso/google`, {
      redirect: 'manual',
      headers: { 'x-forwarded-host': 'evil.test', forwarded: 'host=evil.test' },
    });
    const location = new URL(response.headers.get('location') ?? '');
    expect(location.searchParams.get('redirect_uri')).toBe(`${START}/callback`);
  });

  test.each([
    'https://evil.test/',
    'https://portal.acme.test.evil.test/',
    'https://portal.acme.test@evil.test/',
    'https://user@portal.acme.test/',
    'http://portal.acme.test/',
    'https://portal.acme.test:8443/',
    '//evil.test/',
    '/home',
    'https:\\\\evil.test\\',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://portal.acme.test/\thome',
    'not a url',
  ])('is not begun for the redirect %j', async (redirect) => {
    const { status, body, headers } = await sso.service
      .as({})
      .get(`/auth/sso/google?redirect=${encodeURIComponent(redirect)}`);
    expect({ status, field: body.error.field, location: headers.location }).toEqual({
      status: 400,
      field: 'redirect',
    });
    expect(headers['set-cookie']).toBeUndefined();
  });

  test.each(['unknown', 'CRM', '<script>'])('is not begun for the product %j', async (product) => {
    const { status, body } = await sso.service
      .as({})
      .get(`/auth/sso/google?product=${encodeURIComponent(product)}`);
    expect({ status, field: body.error.field }).toEqual({ status: 400, field: 'product' });
  });

  test('keeps no more than four attempts in one browser, the newest ones', async () => {
    const navigator = sso.navigator();
    const states: string[] = [];
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const { trail } = await navigator.open(START, { before: /\/interaction\// });
      states.push(new URL(trail[1] ?? '').searchParams.get('state')?.slice(0, 16) ?? '');
    }
    const kept = Object.keys(navigator.cookiesFor(START)).filter((name) => name.startsWith('sm_sso_'));
    expect(kept).toEqual(states.slice(-4).map((state) => `sm_sso_${state}`));
  });
});

describe('A contact with portal access', () => {
  test('is signed in and sent to the redirect, without a token in any URL', async () => {
    const { contactId, account } = await sso.person();
    const navigator = sso.navigator();
    const target = `${SIBLING}/orders?open=1#top`;
    const visit = await navigator.open(`${START}?redirect=${encodeURIComponent(target)}&product=shop`);
    expect({ status: visit.status, url: visit.url }).toEqual({ status: 303, url: target });
    expect(visit.headers.get('cache-control')).toBe('no-store');
    expect(await sso.signedIn(navigator)).toBe(contactId);
    const { sm_client = '', sm_refresh = '' } = navigator.cookiesFor(START);
    for (const secret of [sm_client, sm_refresh]) {
      expect(secret.length).toBeGreaterThan(40);
      expect(visit.trail.join()).not.toContain(secret);
    }
    expect(await sso.linkedTo(account)).toEqual([contactId]);
    expect(await sso.lastAudit()).toMatchObject({
      event: 'sign_in',
      subject_id: contactId,
      details: { method: 'google' },
    });
  });

  test('comes to the first portal when no redirect was named', async () => {
    await sso.person();
    expect((await sso.signIn()).url).toBe(`${PORTAL}/`);
  });

  test('has both session cookies out of reach of scripts, and the attempt is gone', async () => {
    await sso.person();
    const { headers } = await sso.signIn();
    const cookies = cookiesSet(headers);
    expect(cookies.map(({ name }) => name.slice(0, 10))).toEqual([
      'sm_sso_' + cookies[0]?.name.slice(7, 10),
      'sm_client',
      'sm_refresh',
    ]);
    expect(cookies[0]).toMatchObject({ value: '', attributes: { path: '/auth/sso' } });
    expect(cookies[1]?.attributes).toMatchObject({ path: '/', httponly: '', secure: '', samesite: 'Lax' });
    expect(cookies[2]?.attributes).toMatchObject({
      path: '/auth',
      httponly: '',
      secure: '',
      samesite: 'Lax',
    });
  });

  test('can be refreshed like any session, and is listed as signed in by Google', async () => {
    await sso.person();
    const navigator = sso.navigator();
    await sso.signIn(navigator);
    const caller = sso.service.as({ authorization: `Bearer ${navigator.cookiesFor(AUTH).sm_client}` });
    expect((await caller.get('/auth/sessions')).body.data.items).toMatchObject([
      { method: 'google', current: true },
    ]);
    const { sm_refresh } = navigator.cookiesFor(START);
    const refreshed = await sso.service
      .as({ cookie: `sm_refresh=${sm_refresh}`, origin: PORTAL })
      .post('/auth/refresh', undefined);
    expect(refreshed.status).toBe(200);
  });

  test('is found by the canonical form of the address', async () => {
    const { contactId, account } = await sso.person({ email: 'jürgen.test@bücher.test'.replace('ü', 'u') });
    sso.provider.visitor = { ...account, email: ' JURGEN.Test@BÜCHER.test ' };
    const navigator = sso.navigator();
    await sso.signIn(navigator);
    expect(await sso.signedIn(navigator)).toBe(contactId);
  });

  test('is found again by the account, whatever address it has by then', async () => {
    const { contactId, account } = await sso.person();
    await sso.signIn();
    const other = await sso.person();
    for (const email of ['jane.married@acme.test', other.account.email, 'no address at all', undefined]) {
      sso.provider.visitor = { ...account, email };
      const navigator = sso.navigator();
      await sso.signIn(navigator);
      expect({ email, contactId: await sso.signedIn(navigator) }).toEqual({ email, contactId });
    }
    expect(await sso.linkedTo(account)).toEqual([contactId]);
  });

  test('loses the link when its address changes, and the account no longer opens it', async () => {
    const { contactId, account } = await sso.person();
    await sso.signIn();
    await sso.service.api.patch(`/api/contacts/${contactId}`, { email: `new-${String(account.email)}` });
    expect(await sso.linkedTo(account)).toEqual([]);
    expect((await sso.signIn()).status).toBe(403);
  });
});

describe('At the same time', () => {
  test('two tabs sign in, each with an attempt of its own', async () => {
    const { contactId, account } = await sso.person();
    const navigator = sso.navigator();
    const first = await navigator.open(`${START}?redirect=${PORTAL}/one`, { before: CALLBACK });
    const second = await navigator.open(`${START}?redirect=${PORTAL}/two`, { before: CALLBACK });
    const visits = await Promise.all([navigator.open(first.url), navigator.open(second.url)]);
    expect(visits.map(({ url }) => url)).toEqual([`${PORTAL}/one`, `${PORTAL}/two`]);
    expect(await sso.linkedTo(account)).toEqual([contactId]);
  });

  test('one account is linked to one contact, even if its address changes in between', async () => {
    const people = [await sso.person(), await sso.person()];
    const identities = sso.service.app.get(GoogleIdentitiesRepository);
    const source = sso.service.app.get(DataSource);
    const account = { issuer: 'https://issuer.test', subject: 'racing' };
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, turn) =>
        transaction(source, (db) =>
          identities.findOrLink(db, { ...account, email: String(people[turn % 2]?.account.email) }),
        ),
      ),
    );
    const linked = await sso.service.sql(`SELECT contact_id FROM portal_identity WHERE subject = 'racing'`);
    expect(linked).toHaveLength(1);
    for (const answer of answers) expect(answer).toEqual({ ...(linked[0] as object), eligible: true });
  });

  test('an address that is just being changed links nobody', async () => {
    const { contactId, account } = await sso.person();
    const change = sso.service.app.get(DataSource).createQueryRunner();
    await change.startTransaction();
    await change.query(`UPDATE contact SET email = 'moved@acme.test' WHERE id = $1`, [contactId]);
    const signIn = sso.signIn();
    await waitUntil(
      async () => (await sso.service.sql('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0,
    );
    await change.commitTransaction();
    await change.release();
    expect((await signIn).status).toBe(403);
    expect(await sso.linkedTo(account)).toEqual([]);
  });
});
