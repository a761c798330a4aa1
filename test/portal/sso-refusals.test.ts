// Signing in with Google where it must not succeed: what the visitor sees, what is audited, and that no session opens.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Person } from '../support/identity-provider.js';
import type { Navigator, Visit } from '../support/navigator.js';
import { AUTH, PORTAL, START, SsoService } from '../support/sso.js';

let sso: SsoService;
beforeAll(async () => {
  sso = await SsoService.start();
});
afterEach(() => sso.repair());
afterAll(() => sso.stop());

/** Fails unless the visit ended on a page of this status, nobody is signed in, and the audit log says why. */
async function expectRefused(
  visit: Visit,
  navigator: Navigator,
  status: number,
  reason: string,
): Promise<void> {
  expect({ status: visit.status, type: visit.headers.get('content-type') }).toEqual({
    status,
    type: 'text/html; charset=utf-8',
  });
  expect(visit.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await sso.signedIn(navigator)).toBeNull();
  expect(Object.keys(navigator.cookiesFor(START))).toEqual([]);
  expect(await sso.lastAudit()).toMatchObject({
    event: 'sign_in_refused',
    details: { method: 'google', reason },
  });
}

/** The page without what differs from attempt to attempt by no fault of the visitor's. */
const words = ({ body }: Visit): string => body.replaceAll(/redirect=[^"]*/g, '');

describe('Who has no access', () => {
  const cases: [string, string, (account: Person) => Person, Record<string, unknown>][] = [
    ['an unknown address', 'no_contact', (account) => ({ ...account, email: 'nobody@acme.test' }), {}],
    [
      'a look-alike address',
      'no_contact',
      (account) => ({ ...account, email: String(account.email).replace('p', 'р') }),
      {},
    ],
    [
      'a subaddress',
      'no_contact',
      (account) => ({ ...account, email: String(account.email).replace('@', '+x@') }),
      {},
    ],
    ['no address', 'no_contact', ({ sub }) => ({ sub, email_verified: true }), {}],
    ['an address that is no text', 'no_contact', (account) => ({ ...account, email: [account.email] }), {}],
    ['a contact without portal access', 'no_contact', (account) => account, { portal_access: 0 }],
    ['an unverified address', 'unverified_email', (account) => ({ ...account, email_verified: false }), {}],
    ['a verification as text', 'unverified_email', (account) => ({ ...account, email_verified: 'true' }), {}],
    ['no word on verification', 'unverified_email', ({ sub, email }) => ({ sub, email }), {}],
  ];

  test.each(cases)('sees the same page: %s', async (_, reason, change, contact) => {
    sso.provider.visitor = { sub: 'reference', email: 'reference@acme.test', email_verified: true };
    const reference = await sso.signIn();
    const { account } = await sso.person(contact);
    sso.provider.visitor = change(account);
    const navigator = sso.navigator();
    const visit = await sso.signIn(navigator);
    await expectRefused(visit, navigator, 403, reason);
    expect(words(visit)).toBe(words(reference));
    expect(visit.body).not.toContain('@');
    expect(JSON.stringify(await sso.lastAudit())).not.toContain('acme.test');
    expect(await sso.linkedTo(account)).toEqual([]);
  });

  test('is refused although linked before, until access is granted again', async () => {
    const { contactId, account } = await sso.person();
    await sso.signIn();
    await sso.service.api.patch(`/api/contacts/${contactId}`, { portal_access: 0 });
    // Not even by way of another contact with access, whose address the account has now.
    const other = await sso.person();
    sso.provider.visitor = { ...account, email: other.account.email };
    const navigator = sso.navigator();
    await expectRefused(await sso.signIn(navigator), navigator, 403, 'no_access');
    expect((await sso.lastAudit()).subject_id).toBe(contactId);
    await sso.service.api.patch(`/api/contacts/${contactId}`, { portal_access: 1 });
    await sso.signIn(navigator);
    expect(await sso.signedIn(navigator)).toBe(contactId);
  });

  test('is never made a contact', async () => {
    const before = await sso.service.sql('SELECT count(*) FROM contact');
    sso.provider.visitor = { sub: 'stranger', email: 'stranger@acme.test', email_verified: true };
    await sso.signIn();
    expect(await sso.service.sql('SELECT count(*) FROM contact')).toEqual(before);
  });

  test('finds the way back and another try on the page, with the product it named', async () => {
    sso.provider.visitor = { sub: 'stranger', email: 'stranger@acme.test', email_verified: true };
    const target = encodeURIComponent(`${PORTAL}/?a="><script>&b=1`);
    const { body } = await sso.navigator().open(`${START}?redirect=${target}&product=crm`);
    expect(body).toContain('Back to crm');
    expect(body).not.toContain('<script>');
    const links = [...body.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'));
    expect(links).toEqual([
      expect.stringMatching(/^\/auth\/sso\/google\?redirect=.*&product=crm$/),
      `${PORTAL}/?a=%22%3E%3Cscript%3E&b=1`,
    ]);
    const again = await sso.navigator().open(AUTH + links[0], { before: /\/interaction\// });
    expect(again.status).toBe(303);
  });

  test('who cancels at Google is told so', async () => {
    sso.provider.visitor = null;
    const navigator = sso.navigator();
    await expectRefused(await sso.signIn(navigator), navigator, 403, 'cancelled');
  });
});

describe('A callback', () => {
  const changed = (url: string, change: (query: URLSearchParams) => void): string => {
    const changing = new URL(url);
    change(changing.searchParams);
    return changing.href;
  };

  test.each<[string, (query: URLSearchParams) => void]>([
    ['without a state', (query) => query.delete('state')],
    ['with the state of nobody', (query) => query.set('state', 'A'.repeat(43))],
    ['with a state that is none', (query) => query.set('state', '../..;=')],
    [
      'with a state that only begins rightly',
      (query) => query.set('state', query.get('state')?.slice(0, 16).padEnd(43, 'x') ?? ''),
    ],
  ])('%s is stale', async (_, change) => {
    await sso.person();
    const navigator = sso.navigator();
    const visit = await navigator.open(changed(await sso.untilCallback(navigator), change));
    expect({ status: visit.status, signedIn: await sso.signedIn(navigator) }).toEqual({
      status: 403,
      signedIn: null,
    });
    expect((await sso.lastAudit()).details).toEqual({ method: 'google', reason: 'stale' });
  });

  test('in another browser is stale: nobody can be signed in as somebody else by a link', async () => {
    await sso.person();
    const url = await sso.untilCallback(sso.navigator());
    const victim = sso.navigator();
    await expectRefused(await victim.open(url), victim, 403, 'stale');
    // Nor with an attempt of the victim's own under way.
    await sso.untilCallback(victim);
    expect((await victim.open(url)).status).toBe(403);
    expect(await sso.signedIn(victim)).toBeNull();
  });

  test('works once, even for who kept the cookie', async () => {
    await sso.person();
    const navigator = sso.navigator();
    const url = await sso.untilCallback(navigator);
    const [[name, value] = ['', '']] = Object.entries(navigator.cookiesFor(START));
    expect((await navigator.open(url)).status).toBe(303);
    const thief = sso.navigator();
    await expectRefused(await thief.open(url), thief, 403, 'stale');
    thief.setCookie(AUTH, '/auth/sso', name, value);
    await expectRefused(await thief.open(url), thief, 403, 'stale');
  });

  test('with a cookie that was altered, or sealed for another attempt, is stale', async () => {
    await sso.person();
    const navigator = sso.navigator();
    await sso.untilCallback(navigator);
    const [[, foreign] = ['', '']] = Object.entries(navigator.cookiesFor(START));
    for (const value of [foreign, `x${foreign}`, foreign.slice(0, 20), '%', 'AAAA']) {
      const attacked = sso.navigator();
      const url = await sso.untilCallback(attacked);
      attacked.setCookie(AUTH, '/auth/sso', Object.keys(attacked.cookiesFor(START))[0] ?? '', value);
      await expectRefused(await attacked.open(url), attacked, 403, 'stale');
    }
  });

  test.each<[string, (query: URLSearchParams) => void]>([
    ['of a foreign issuer', (query) => query.set('iss', 'https://evil.test')],
    ['with two codes', (query) => query.append('code', 'another')],
    ['with an error of Google’s', (query) => (query.delete('code'), query.set('error', 'server_error'))],
  ])('%s signs nobody in', async (_, change) => {
    await sso.person();
    const navigator = sso.navigator();
    const visit = await navigator.open(changed(await sso.untilCallback(navigator), change));
    await expectRefused(visit, navigator, 502, 'bad_answer');
  });

  test('with the code of another attempt fails for its PKCE verifier', async () => {
    await sso.person();
    const stolen = new URL(await sso.untilCallback(sso.navigator())).searchParams.get('code') ?? '';
    const navigator = sso.navigator();
    const url = await sso.untilCallback(navigator);
    const visit = await navigator.open(changed(url, (query) => query.set('code', stolen)));
    await expectRefused(visit, navigator, 403, 'stale');
  });
});

test('Google is asked nothing more for a network whose sign-ins were refused too often', async () => {
  const limited = await SsoService.start({ RATE_LIMIT_SIGN_INS: '3' });
  try {
    await limited.person();
    const asked = () => limited.provider.asked.filter((path) => path === '/token').length;
    const navigator = limited.navigator();
    const url = await limited.untilCallback(navigator);
    const [[name, value] = ['', '']] = Object.entries(navigator.cookiesFor(START));
    expect((await navigator.open(url)).status).toBe(303);
    const statuses: number[] = [];
    for (let time = 1; time <= 5; time += 1) {
      navigator.setCookie(AUTH, '/auth/sso', name, value);
      statuses.push((await navigator.open(url)).status);
    }
    expect({ statuses, asked: asked() }).toEqual({ statuses: [403, 403, 403, 429, 429], asked: 4 });
  } finally {
    await limited.stop();
  }
});
