// A sign-in stands or falls as a whole: no proof is spent for nothing, and no session outlives what it was proved by.
import { afterEach, afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TableHolder } from '../support/hold-table.js';
import { type Contact, PortalService } from '../support/portal.js';
import { AUTH, SsoService } from '../support/sso.js';

const CHANGES = [
  ['another address', (id: string) => ({ email: `new-${id}@acme.test` })],
  ['access withdrawn', () => ({ portal_access: 0 })],
] as const;

describe('by mail', () => {
  let portal: PortalService;
  let holder: TableHolder;
  beforeAll(async () => {
    // Whatever waits for the holder is given up soon, though not so soon that a busy machine could not connect.
    portal = await PortalService.start({ DATABASE_TIMEOUT_MS: '3000' });
    holder = await TableHolder.of(portal.service);
  });
  afterEach(() => holder.release());
  afterAll(async () => {
    await holder.end();
    await portal.stop();
  });

  const patch = async ({ id }: Contact, changes: object) => {
    expect((await portal.service.api.patch(`/api/contacts/${id}`, changes)).status).toBe(200);
  };
  const sessionsOf = ({ id }: Contact) =>
    portal.service.sql<{ ended: boolean; tokens: number }>(
      `SELECT ended_at IS NOT NULL AS ended, (SELECT count(*) FROM refresh_token WHERE session_id = s.id)::int AS tokens
       FROM portal_session s WHERE contact_id = $1`,
      [id],
    );
  const reusesOf = ({ id }: Contact) =>
    portal.service.sql(`SELECT FROM auth_audit_log WHERE event = 'refresh_reuse' AND subject_id = $1`, [id]);

  test.each(CHANGES)('%s while the session opens ends it', async (_what, changesOf) => {
    const contact = await portal.contact();
    const { token } = await portal.link(contact.email);
    const browser = portal.browser();
    const { status } = await holder.during(
      () => browser.post('/auth/magic-link/verify', { token }),
      () => patch(contact, changesOf(contact.id)),
    );
    expect(status).toBe(200);
    expect(await browser.isSignedIn()).toBe(false);
    expect(await sessionsOf(contact)).toEqual([{ ended: true, tokens: 1 }]);
  });

  test.each(['signing_key', 'portal_session', 'refresh_token', 'auth_audit_log'])(
    'a link is good still when %s could not be used',
    async (table) => {
      const contact = await portal.contact();
      const { token, requestId, code } = await portal.link(contact.email);
      const browser = portal.browser();
      await holder.hold(table);
      for (const proof of [{ token }, { request_id: requestId, code }])
        expect((await browser.post('/auth/magic-link/verify', proof)).status).toBe(503);
      await holder.release();
      expect(await sessionsOf(contact)).toEqual([]);
      expect((await browser.post('/auth/magic-link/verify', { token })).status).toBe(200);
      expect(await browser.isSignedIn()).toBe(true);
      expect(await sessionsOf(contact)).toEqual([{ ended: false, tokens: 1 }]);
    },
    20_000,
  );

  test('a refresh token is good still when no access token could be signed', async () => {
    const { contact, browser } = await portal.signedIn();
    await holder.hold('signing_key');
    expect((await browser.refresh()).status).toBe(503);
    await holder.release();
    expect(await sessionsOf(contact)).toEqual([{ ended: false, tokens: 1 }]);
    expect((await browser.refresh()).status).toBe(200);
  });

  test('a token whose key cannot be read is no bad token', async () => {
    const { browser } = await portal.signedIn();
    // It has read no keys yet.
    const other = await portal.secondProcess();
    try {
      await holder.hold('signing_key');
      const tab = browser.at(other.url);
      expect(await tab.get('/auth/session')).toMatchObject({
        status: 503,
        body: { error: { code: 'unavailable' } },
      });
      await holder.release();
      expect((await tab.get('/auth/session')).status).toBe(200);
    } finally {
      await other.stop();
    }
  });

  test('a theft is audited, however often that fails', async () => {
    const { contact, browser } = await portal.signedIn();
    const thief = browser.at();
    await browser.refresh();
    await portal.service.sql(`UPDATE refresh_token SET used_at = used_at - interval '31 seconds'`);
    await holder.hold('auth_audit_log');
    expect((await thief.refresh()).status).toBe(503);
    await holder.release();
    expect(await reusesOf(contact)).toEqual([]);
    expect((await thief.refresh()).status).toBe(401);
    expect(await reusesOf(contact)).toEqual([{}]);
    expect(await browser.isSignedIn()).toBe(false);
  });

  test('whoever was told 503 has not been signed out', async () => {
    const { contact, browser } = await portal.signedIn();
    await holder.hold('auth_audit_log');
    expect((await browser.post('/auth/logout')).status).toBe(503);
    await holder.release();
    expect(await sessionsOf(contact)).toEqual([{ ended: false, tokens: 1 }]);
    expect((await browser.post('/auth/logout')).status).toBe(200);
    expect(await sessionsOf(contact)).toEqual([{ ended: true, tokens: 1 }]);
  });
});

describe('with Google', () => {
  let sso: SsoService;
  let holder: TableHolder;
  beforeAll(async () => {
    sso = await SsoService.start();
    holder = await TableHolder.of(sso.service);
  });
  afterEach(() => holder.release());
  afterAll(async () => {
    await holder.end();
    await sso.stop();
  });

  test.each(CHANGES)('%s while the session opens ends it', async (_what, changesOf) => {
    const { contactId, account } = await sso.person();
    await sso.signIn(); // The account is linked from now on.
    const navigator = sso.navigator();
    sso.provider.visitor = account;
    const callback = await sso.untilCallback(navigator);
    await holder.during(
      () => navigator.open(callback, { before: /^https:\/\/portal/ }),
      async () => {
        const changes = changesOf(contactId);
        expect((await sso.service.api.patch(`/api/contacts/${contactId}`, changes)).status).toBe(200);
      },
    );
    expect(navigator.cookiesFor(AUTH).sm_client).toBeDefined();
    const sessions = await sso.service.sql(
      'SELECT ended_at IS NOT NULL AS ended FROM portal_session WHERE contact_id = $1 ORDER BY created_at',
      [contactId],
    );
    expect(sessions).toEqual([{ ended: true }, { ended: true }]);
  });
});
