// Signing out: whose sessions end, which, and what a stolen refresh token can do.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const sql = <Row>(statement: string, values: unknown[] = []) => portal.service.sql<Row>(statement, values);
const auditOf = async (contactId: string, event: string): Promise<number> =>
  (await sql('SELECT FROM auth_audit_log WHERE event = $2 AND subject_id = $1', [contactId, event])).length;
const endsOf = (contactId: string) =>
  sql<{ end_reason: string | null }>(
    'SELECT end_reason FROM portal_session WHERE contact_id = $1 ORDER BY created_at',
    [contactId],
  );

test.each([
  ['this', [false, true, true], 0],
  ['others', [true, false, false], 2],
  ['all', [false, false, false], 0],
  [undefined, [false, true, true], 0],
])('of %s', async (scope, left, cookies) => {
  const { contact, browser } = await portal.signedIn();
  const browsers = [browser, await portal.signIn(contact), await portal.signIn(contact)];
  const before = browsers.map((one) => one.at());
  const { status } = await browser.post('/auth/logout', scope ? { scope } : undefined);
  expect(status).toBe(200);
  expect(browser.cookies.size).toBe(cookies);
  for (const [index, tab] of before.entries()) {
    expect({ index, signedIn: await tab.isSignedIn() }).toEqual({ index, signedIn: left[index] });
    expect((await tab.refresh()).status).toBe(left[index] ? 200 : 401);
  }
});

test('without a session changes nothing and says no more', async () => {
  const { status, body } = await portal.browser().post('/auth/logout', {});
  expect({ status, data: body.data }).toEqual({ status: 200, data: { signed_out: true } });
});

test('an access token that names somebody else is no sign-out of theirs', async () => {
  const [one, other] = [await portal.signedIn(), await portal.signedIn()];
  const elsewhere = await portal.signIn(other.contact);
  const authorization = `Bearer ${one.browser.accessToken}`;
  for (const scope of ['this', 'others', 'all']) {
    const { status, body } = await other.browser.post(
      '/auth/logout',
      { scope },
      { headers: { authorization } },
    );
    expect([status, body.error?.code]).toEqual([401, 'unauthenticated']);
  }
  for (const browser of [one.browser, other.browser, elsewhere])
    expect(await browser.isSignedIn()).toBe(true);
});

test.each([
  ['without the cookie', (token: string) => `Bearer ${token}`, 401],
  ['that is none, beside the cookie', () => 'Bearer abc', 401],
  ['of another scheme, beside the cookie', () => 'Basic abc', 401],
  ['that is its own, beside the cookie', (token: string) => `Bearer ${token}`, 200],
])('an access token %s', async (which, headerOf, expected) => {
  const { browser } = await portal.signedIn();
  const authorization = headerOf(browser.accessToken);
  const cookie = which === 'without the cookie' ? '' : `sm_refresh=${browser.refreshToken}`;
  const { status } = await portal.browser().post('/auth/logout', {}, { headers: { authorization, cookie } });
  expect(status).toBe(expected);
  expect(await browser.isSignedIn()).toBe(expected !== 200);
});

test('an access token that has expired is still its own', async () => {
  const { contact, browser } = await portal.signedIn();
  const payload = { sub: contact.id, exp: 1 };
  const [header, , signature] = browser.accessToken.split('.');
  const expired = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${signature}`;
  const headers = { authorization: `Bearer ${expired}` };
  expect((await browser.post('/auth/logout', {}, { headers })).status).toBe(200);
  expect((await browser.refresh()).status).toBe(401);
});

test.each(['this', 'others', 'all'])(
  'of %s by a spent refresh token ends the session it is of, as stolen',
  async (scope) => {
    const { contact, browser } = await portal.signedIn();
    const elsewhere = await portal.signIn(contact);
    const thief = browser.at();
    await browser.refresh();
    await sql(
      `UPDATE refresh_token t SET used_at = used_at - interval '31 seconds'
     FROM portal_session s WHERE s.id = t.session_id AND s.contact_id = $1`,
      [contact.id],
    );
    expect((await thief.post('/auth/logout', { scope })).status).toBe(200);
    expect(await browser.isSignedIn()).toBe(false);
    expect(await elsewhere.isSignedIn()).toBe(true);
    expect(await endsOf(contact.id)).toEqual([{ end_reason: 'refresh_reuse' }, { end_reason: null }]);
    expect([await auditOf(contact.id, 'refresh_reuse'), await auditOf(contact.id, 'sign_out')]).toEqual([
      1, 0,
    ]);
  },
);

test('a session that was over before is not signed out', async () => {
  const { contact, browser } = await portal.signedIn();
  const forgotten = await portal.signIn(contact);
  const { body } = await forgotten.get('/auth/sessions');
  const { id } = body.data.items.find((item: { current: boolean }) => item.current);
  await sql(`UPDATE portal_session SET idle_until = now() - interval '1 day' WHERE id = $1`, [id]);
  expect(await forgotten.isSignedIn()).toBe(false);
  expect((await browser.delete(`/auth/sessions/${id}`)).status).toBe(404);
  expect((await browser.post('/auth/logout', { scope: 'all' })).status).toBe(200);
  expect(await auditOf(contact.id, 'sign_out')).toBe(1);
});
