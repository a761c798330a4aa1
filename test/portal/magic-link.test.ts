// Signing in by mail: what is asked for, mailed, shown and accepted.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PORTAL } from '../support/browser.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const verify = (proof: object) => portal.browser().post('/auth/magic-link/verify', proof);
const sessions = async (id: string) =>
  portal.service.sql<{ id: string }>('SELECT id FROM portal_session WHERE contact_id = $1', [id]);

describe('asking for a link', () => {
  test('is answered 202 with a request id and nothing else', async () => {
    const { email } = await portal.contact();
    const { status, headers, body } = await portal.browser().post('/auth/magic-link', { email });
    expect(status).toBe(202);
    expect(body).toEqual({ ok: true, data: { request_id: expect.stringMatching(/^ml_[0-9a-z]{16}$/) } });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.getSetCookie()).toEqual([]);
  });

  test('refuses a product that is not configured', async () => {
    const { status, body } = await portal
      .browser()
      .post('/auth/magic-link', { email: 'a@acme.test', product: 'other' });
    expect({ status, field: body.error.field }).toEqual({ status: 400, field: 'product' });
  });
});

describe('verifying', () => {
  test('the token answers the access token, the redirect and both cookies', async () => {
    const contact = await portal.contact();
    const { token } = await portal.link(contact.email, { redirect: `${PORTAL}/deals?x=1#top` });
    const browser = portal.browser();
    const { status, headers, body } = await browser.post('/auth/magic-link/verify', { token });
    expect(status).toBe(200);
    expect(body.data).toEqual({
      access_token: browser.accessToken,
      token_type: 'Bearer',
      expires_in: 900,
      redirect: `${PORTAL}/deals?x=1#top`,
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect([...browser.cookies.keys()]).toEqual(['sm_client', 'sm_refresh']);
    expect((await browser.get('/auth/session')).body.data).toMatchObject({
      id: contact.id,
      email: contact.email,
    });
  });

  test('the code with its request id does the same, and leads to the first portal by default', async () => {
    const { email } = await portal.contact();
    const { requestId, code } = await portal.link(email);
    const { status, body } = await verify({ request_id: requestId, code });
    expect(status).toBe(200);
    expect(body.data.redirect).toBe(`${PORTAL}/`);
  });

  test.each([
    ['nothing', {}],
    ['token and code', { token: 'x', request_id: 'ml_x', code: '123456' }],
    ['a code without its request', { code: '123456' }],
    ['a request without its code', { request_id: 'ml_x' }],
  ])('refuses %s as a bad request', async (_case, proof) => {
    expect((await verify(proof)).status).toBe(400);
  });

  test('of parallel verifies with the token one wins', async () => {
    const { id, email } = await portal.contact();
    const { token } = await portal.link(email);
    const statuses = (await Promise.all(Array.from({ length: 12 }, () => verify({ token })))).map(
      (a) => a.status,
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(11).fill(401)]);
    expect(await sessions(id)).toHaveLength(1);
  });

  test('of parallel verifies by token and by code one wins', async () => {
    const { id, email } = await portal.contact();
    const { token, code, requestId } = await portal.link(email);
    const proofs = [{ token }, { request_id: requestId, code }, { token }, { request_id: requestId, code }];
    const statuses = (await Promise.all(proofs.map(verify))).map((answer) => answer.status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401]);
    expect(await sessions(id)).toHaveLength(1);
  });

  test('a used link and its code are refused', async () => {
    const { email } = await portal.contact();
    const { token, code, requestId } = await portal.link(email);
    await verify({ token });
    for (const proof of [{ token }, { request_id: requestId, code }]) {
      const { status, body } = await verify(proof);
      expect({ status, code: body.error.code }).toEqual({ status: 401, code: 'sign_in_failed' });
    }
  });

  test('the code of one request does not open another', async () => {
    const [first, second] = [await portal.contact(), await portal.contact()];
    const { requestId } = await portal.link(first.email);
    const { code } = await portal.link(second.email);
    expect((await verify({ request_id: requestId, code })).status).toBe(401);
  });

  test('a link lives for 15 minutes', async () => {
    const { email } = await portal.contact();
    const young = await portal.link(email);
    const age = (id: string, minutes: string) =>
      portal.service.sql(`UPDATE magic_link SET expires_at = expires_at - $2::interval WHERE id = $1`, [
        id,
        minutes,
      ]);
    await age(young.requestId, '13 minutes');
    expect((await verify({ token: young.token })).status).toBe(200);
    const old = await portal.link(email);
    await age(old.requestId, '15 minutes');
    expect((await verify({ token: old.token })).status).toBe(401);
    expect((await verify({ request_id: old.requestId, code: old.code })).status).toBe(401);
    expect((await portal.browser().get(`/auth/magic-link?token=${old.token}`)).status).toBe(410);
  });

  test('a newer request voids the older, link and code', async () => {
    const { email } = await portal.contact();
    const older = await portal.link(email);
    const newer = await portal.link(email);
    expect((await verify({ token: older.token })).status).toBe(401);
    expect((await verify({ request_id: older.requestId, code: older.code })).status).toBe(401);
    expect((await verify({ token: newer.token })).status).toBe(200);
  });

  test.each([
    ['withdrawn access', { portal_access: 0 }],
    ['a changed e-mail', { email: 'moved@acme.test' }],
  ])('%s voids an open link', async (_case, change) => {
    const { id, email } = await portal.contact();
    const { token } = await portal.link(email);
    expect((await portal.service.api.patch(`/api/contacts/${id}`, change)).status).toBe(200);
    expect((await verify({ token })).status).toBe(401);
  });

  test('an open link of a deleted contact is refused', async () => {
    const { id, email } = await portal.contact();
    const { token } = await portal.link(email);
    await portal.service.sql('DELETE FROM contact WHERE id = $1', [id]);
    expect((await verify({ token })).status).toBe(401);
  });
});

describe('the page of a link', () => {
  const page = (token: string) => portal.browser().get(`/auth/magic-link?token=${token}`);
  const confirm = (token: string, headers: Record<string, string> = {}) =>
    portal.browser().post('/auth/magic-link/confirm', undefined, {
      form: { token },
      headers: { origin: PUBLIC_URL, ...headers },
    });

  test('shows one button, and opening it by GET or HEAD consumes nothing', async () => {
    const { email } = await portal.contact();
    const { token } = await portal.link(email, { product: 'crm' });
    for (let visit = 0; visit < 3; visit += 1) {
      await portal.browser().send('head', `/auth/magic-link?token=${token}`);
      const { status, headers, text } = await page(token);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('content-security-policy')).toContain(`default-src 'none'`);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.getSetCookie()).toEqual([]);
      expect(text).toContain('<h1>Sign in to crm</h1>');
      expect(text.match(/<button/g)).toHaveLength(1);
      expect(text).not.toContain('<script');
    }
    expect((await verify({ token })).status).toBe(200);
  });

  test('its form signs in without JavaScript and leads on without a token in the URL', async () => {
    const contact = await portal.contact();
    const { token } = await portal.link(contact.email, { redirect: 'http://localhost:5173/start' });
    const browser = portal.browser();
    const { status, headers } = await browser.post('/auth/magic-link/confirm', undefined, {
      form: { token },
      headers: { origin: PUBLIC_URL },
    });
    expect({ status, location: headers.get('location') }).toEqual({
      status: 303,
      location: 'http://localhost:5173/start',
    });
    expect((await browser.get('/auth/session')).body.data.id).toBe(contact.id);
    expect((await confirm(token)).status).toBe(410);
  });

  test.each([
    ['a number', '{"token":5}'],
    ['a list', '{"token":["a"]}'],
    ['an object', '{"token":{}}'],
    ['two of them in a form', 'token=a&token=b'],
  ])('%s is no token', async (_what, body) => {
    const type = body.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded';
    const response = await fetch(`${portal.service.url}/auth/magic-link/confirm`, {
      method: 'POST',
      headers: { origin: PUBLIC_URL, 'content-type': type },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_request', details: [{ field: 'token', code: 'wrong_type' }] },
    });
  });

  test('a page of another site cannot send the form', async () => {
    const { email } = await portal.contact();
    const { token } = await portal.link(email);
    for (const origin of ['https://evil.test', 'null', '']) {
      expect((await confirm(token, { origin })).status).toBe(403);
    }
    expect((await verify({ token })).status).toBe(200);
  });

  test.each([
    '/auth/magic-link',
    '/auth/magic-link/verify',
    '/auth/refresh',
    '/auth/logout',
    '/api/contacts',
  ])('a form is refused at %s', async (path) => {
    const { status, body } = await portal
      .browser()
      .post(path, undefined, { form: { token: 'x', email: 'a@acme.test' } });
    expect({ status, code: body.error.code }).toEqual({ status: 415, code: 'unsupported_media_type' });
  });

  test.each(['garbage', '%3Cscript%3Ealert(1)%3C/script%3E', 'A'.repeat(43)])(
    'says the same of every token that opens nothing: %s',
    async (token) => {
      const { status, text } = await page(token);
      expect(status).toBe(410);
      expect(text).toContain('This link no longer works');
      expect(text).not.toContain('alert');
    },
  );
});
