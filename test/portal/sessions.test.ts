// Sessions: their cookies, their list, and everything that ends them.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PORTAL, parseCookie } from '../support/browser.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
let other: Awaited<ReturnType<PortalService['secondProcess']>>;
beforeAll(async () => {
  portal = await PortalService.start();
  other = await portal.secondProcess();
});
afterAll(async () => {
  await other.stop();
  await portal.stop();
});

const sql = <Row>(statement: string, values: unknown[] = []) => portal.service.sql<Row>(statement, values);
const company = async (name: string) => {
  const { body } = await portal.service.api.post('/api/companies', { name });
  return body.data.id as string;
};

describe('cookies', () => {
  const setAt = async (url: string) => {
    const { token } = await portal.link((await portal.contact()).email);
    const { headers } = await portal.browser(undefined, url).post('/auth/magic-link/verify', { token });
    return headers.getSetCookie().map(parseCookie);
  };

  test('over https both are HttpOnly and Secure, the refresh token limited to /auth', async () => {
    const [client, own] = await setAt(portal.service.url);
    expect({ name: client?.name, ...client?.attributes }).toEqual({
      name: 'sm_client',
      'max-age': '900',
      path: '/',
      httponly: '',
      secure: '',
      samesite: 'Lax',
    });
    expect({ name: own?.name, ...own?.attributes }).toEqual({
      name: 'sm_refresh',
      'max-age': String(30 * 86_400),
      path: '/auth',
      httponly: '',
      secure: '',
      samesite: 'Lax',
    });
  });

  test('domain, SameSite and life are configurable; the refresh token never leaves its host', async () => {
    const configured = await portal.secondProcess({
      PUBLIC_URL: 'http://auth.acme.test:3000',
      PORTAL_COOKIE_DOMAIN: 'acme.test',
      PORTAL_COOKIE_SAMESITE: 'strict',
      ACCESS_TOKEN_SECONDS: '60',
    });
    try {
      const [client, own] = await setAt(configured.url);
      expect(client?.attributes).toEqual({
        'max-age': '60',
        domain: 'acme.test',
        path: '/',
        httponly: '',
        samesite: 'Strict',
      });
      expect(own?.attributes).toEqual({
        'max-age': String(30 * 86_400),
        path: '/auth',
        httponly: '',
        samesite: 'Strict',
      });
    } finally {
      await configured.stop();
    }
  });

  test('a write with cookies needs an allowed Origin; a read, or a write with the token in its header, does not', async () => {
    const { contact, browser } = await portal.signedIn();
    const elsewhere = await portal.signIn(contact);
    const [{ id } = { id: '' }] = await sql<{ id: string }>(
      'SELECT id FROM portal_session WHERE contact_id = $1 ORDER BY created_at DESC LIMIT 1',
      [contact.id],
    );
    const cookie = `sm_client=${browser.accessToken}`;
    const patched = (of: string, headers: Record<string, string>) =>
      portal.service.as(headers).patch(`/api/contacts/${of}`, { phone: '1' });
    expect((await patched(contact.id, { cookie, origin: PORTAL })).status).toBe(200);
    for (const origin of [
      '',
      'null',
      'https://evil.test',
      `${PORTAL}.evil.test`,
      `${PORTAL}:8443`,
      PORTAL.replace('https', 'http'),
    ]) {
      const sent = { headers: { origin } };
      expect((await browser.delete(`/auth/sessions/${id}`, sent)).status).toBe(403);
      expect((await browser.post('/auth/refresh', undefined, sent)).status).toBe(403);
      expect((await patched(contact.id, { cookie, origin })).status).toBe(403);
      expect((await browser.post('/auth/logout', { scope: 'all' }, sent)).status).toBe(403);
      expect((await browser.get('/auth/session', sent)).status).toBe(200);
    }
    expect(await elsewhere.isSignedIn()).toBe(true);
    const bearer = { authorization: `Bearer ${browser.accessToken}`, origin: '' };
    const byHeader = await portal.browser().delete(`/auth/sessions/${id}`, { headers: bearer });
    expect(byHeader.status).toBe(200);
    expect(await elsewhere.isSignedIn()).toBe(false);
    for (const origin of [PORTAL, 'http://localhost:5173', PUBLIC_URL]) {
      expect((await browser.post('/auth/refresh', undefined, { headers: { origin } })).status).toBe(200);
    }
  });
});

describe('my sessions', () => {
  test('are listed with device and address, mine marked, and nobody else’s', async () => {
    const { contact, browser } = await portal.signedIn();
    const phone = portal.browser('2001:db8::7');
    const { token } = await portal.link(contact.email);
    const headers = { 'user-agent': 'Phone/1.0' };
    expect((await phone.post('/auth/magic-link/verify', { token }, { headers })).status).toBe(200);
    await portal.signedIn();
    const { body } = await browser.get('/auth/sessions');
    expect(body.data.items).toEqual([
      expect.objectContaining({
        current: false,
        user_agent: 'Phone/1.0',
        client_address: '2001:db8::7',
        method: 'magic_link',
      }),
      expect.objectContaining({ current: true, client_address: expect.stringMatching(/^198\.18\./) }),
    ]);
  });

  test('one is revoked; another contact’s is not found', async () => {
    const { contact, browser } = await portal.signedIn();
    const lost = await portal.signIn(contact);
    const stranger = (await portal.signedIn()).browser;
    const { body } = await lost.get('/auth/sessions');
    const { id } = body.data.items.find((item: { current: boolean }) => item.current);
    expect((await stranger.delete(`/auth/sessions/${id}`)).status).toBe(404);
    expect(await lost.isSignedIn()).toBe(true);
    expect((await browser.delete(`/auth/sessions/${id}`)).body.data).toEqual({ id, ended: true });
    expect(await lost.isSignedIn()).toBe(false);
    expect((await lost.refresh()).status).toBe(401);
    expect((await browser.delete(`/auth/sessions/${id}`)).status).toBe(404);
    expect(await browser.isSignedIn()).toBe(true);
  });
});

describe('what happens to the contact bites on the next request in every process, and on refresh', () => {
  test.each([
    ['withdrawn access', { portal_access: 0 }],
    ['a changed e-mail', { email: 'elsewhere@acme.test' }],
  ])('%s', async (_case, change) => {
    const { contact, browser } = await portal.signedIn();
    const elsewhere = browser.at(other.url);
    expect(await elsewhere.isSignedIn()).toBe(true);
    await portal.service.api.patch(`/api/contacts/${contact.id}`, change);
    for (const tab of [browser, elsewhere]) {
      expect((await tab.get('/auth/session')).status).toBe(401);
      expect((await tab.get('/api/contacts')).status).toBe(401);
      expect((await tab.refresh()).status).toBe(401);
    }
    // Access given back does not bring the old session back.
    await portal.service.api.patch(`/api/contacts/${contact.id}`, { portal_access: 1 });
    expect((await browser.refresh()).status).toBe(401);
    expect(await elsewhere.isSignedIn()).toBe(false);
  });

  test('a deleted contact', async () => {
    const { contact, browser } = await portal.signedIn();
    await sql('DELETE FROM contact WHERE id = $1', [contact.id]);
    expect(await browser.at(other.url).isSignedIn()).toBe(false);
    expect((await browser.refresh()).status).toBe(401);
  });

  test('a changed role and company', async () => {
    const [acme, umbrella] = [await company('Acme'), await company('Umbrella')];
    const { contact, browser } = await portal.signedIn({ company_id: acme, portal_role: 'client_admin' });
    const elsewhere = browser.at(other.url);
    expect((await elsewhere.get('/auth/session')).body.data).toMatchObject({
      portal_role: 'client_admin',
      company: { id: acme, name: 'Acme' },
    });
    await portal.service.api.patch(`/api/contacts/${contact.id}`, {
      portal_role: 'client_viewer',
      company_id: umbrella,
    });
    expect((await elsewhere.get('/auth/session')).body.data).toMatchObject({
      portal_role: 'client_viewer',
      company: { id: umbrella, name: 'Umbrella' },
    });
  });
});
