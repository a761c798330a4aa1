// Staying signed in: refresh tokens, their successors, their reuse and their end.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Contact, PortalService } from '../support/portal.js';

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

describe('refresh', () => {
  test('exchanges the refresh token for its successor and a new access token', async () => {
    const { browser } = await portal.signedIn();
    const { accessToken, refreshToken } = browser;
    const { status, headers, body } = await browser.refresh();
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body.data).toEqual({ access_token: browser.accessToken, token_type: 'Bearer', expires_in: 900 });
    expect(browser.accessToken).not.toBe(accessToken);
    expect(browser.refreshToken).not.toBe(refreshToken);
    expect((await browser.refresh()).status).toBe(200);
    expect(await browser.isSignedIn()).toBe(true);
  });

  test('parallel tabs in two processes get the same successor, and it goes on from there', async () => {
    const { browser } = await portal.signedIn();
    const tabs = [browser.at(), browser.at(), browser.at(other.url), browser.at(other.url)];
    const answers = await Promise.all(tabs.map((tab) => tab.refresh()));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(tabs.map((tab) => tab.refreshToken)).size).toBe(1);
    for (const tab of tabs) expect((await tab.refresh()).status).toBe(200);
  });

  test('a retry within 30 s gets the same successor', async () => {
    const { contact, browser } = await portal.signedIn();
    const retry = browser.at();
    await browser.refresh();
    await age(contact, '10 seconds');
    expect((await retry.refresh()).status).toBe(200);
    expect(retry.refreshToken).toBe(browser.refreshToken);
  });

  test('reuse after 30 s ends the session for thief and owner, and is audited', async () => {
    const { contact, browser } = await portal.signedIn();
    const thief = browser.at();
    await browser.refresh();
    await age(contact, '31 seconds');
    expect((await thief.refresh()).status).toBe(401);
    expect(await browser.isSignedIn()).toBe(false);
    expect((await browser.refresh()).status).toBe(401);
    expect(await sql('SELECT end_reason FROM portal_session WHERE contact_id = $1', [contact.id])).toEqual([
      { end_reason: 'refresh_reuse' },
    ]);
    const audited = await sql(
      `SELECT actor_kind, details FROM auth_audit_log WHERE subject_id = $1 AND event = 'refresh_reuse'`,
      [contact.id],
    );
    expect(audited).toEqual([
      { actor_kind: 'visitor', details: { session: expect.stringMatching(/^ses_/) } },
    ]);
  });

  test('reuse ends no other session of the contact', async () => {
    const { contact, browser } = await portal.signedIn();
    const elsewhere = await portal.signIn(contact);
    const thief = browser.at();
    await browser.refresh();
    await age(contact, '31 seconds');
    await thief.refresh();
    expect(await browser.isSignedIn()).toBe(false);
    expect(await elsewhere.isSignedIn()).toBe(true);
  });

  test.each([
    ['7 days without a refresh', 'idle_until', '6 days 23 hours', '7 days'],
    ['30 days, however busy', 'expires_at', '29 days 23 hours', '30 days'],
  ])('a session ends after %s', async (_case, column, before, after) => {
    const { contact, browser } = await portal.signedIn();
    const pass = (time: string) =>
      sql(`UPDATE portal_session SET ${column} = ${column} - $2::interval WHERE contact_id = $1`, [
        contact.id,
        time,
      ]);
    await pass(before);
    expect(await browser.isSignedIn()).toBe(true);
    const { status } = await browser.refresh();
    expect(status).toBe(200); // which starts the time of idleness anew, and nothing else
    await pass(column === 'idle_until' ? after : '1 hour');
    expect(await browser.isSignedIn()).toBe(false);
    expect((await browser.refresh()).status).toBe(401);
  });

  test('does not prolong the 30 days', async () => {
    const { contact, browser } = await portal.signedIn();
    const read = () => sql('SELECT expires_at FROM portal_session WHERE contact_id = $1', [contact.id]);
    const before = await read();
    await browser.refresh();
    expect(await read()).toEqual(before);
  });

  test.each([
    ['no cookie', ''],
    ['a token nobody has', 'sm_refresh=AAAA'],
    ['an access token', undefined],
  ])('is refused with %s', async (_case, cookie) => {
    const { browser } = await portal.signedIn();
    const headers = { cookie: cookie ?? `sm_refresh=${browser.accessToken}` };
    const { status, body } = await portal.browser().post('/auth/refresh', undefined, { headers });
    expect({ status, code: body.error.code }).toEqual({ status: 401, code: 'unauthenticated' });
  });

  async function age(contact: Contact, time: string): Promise<void> {
    await sql(
      `UPDATE refresh_token t SET used_at = used_at - $2::interval
       FROM portal_session s WHERE s.id = t.session_id AND s.contact_id = $1`,
      [contact.id, time],
    );
  }
});
