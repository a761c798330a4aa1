// Whoever tries to sign in without a proof, or to refresh without end: limited, without harm to those who have one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Secrets } from '../../src/common/secrets.js';
import { codeOf, tokenOf } from '../../src/portal/magic-link-mail.js';
import type { Answer } from '../support/browser.js';
import { PortalService } from '../support/portal.js';
import { statementsDuring } from '../support/statements.js';

const LIMIT = 6;

let portal: PortalService;
beforeAll(async () => {
  const limit = String(LIMIT);
  portal = await PortalService.start({ RATE_LIMIT_SIGN_INS: limit, RATE_LIMIT_USER: limit });
});
afterAll(() => portal.stop());

const recorded = async (address: string): Promise<number> => {
  const entries = await portal.service.sql(
    `SELECT FROM auth_audit_log WHERE event = 'sign_in_refused' AND client_address << $1::cidr`,
    [address],
  );
  return entries.length;
};

test.each([
  [
    'links',
    (address: string) => portal.browser(address).post('/auth/magic-link/verify', { token: 'x' }),
    401,
  ],
  [
    'codes',
    (address: string) =>
      portal.browser(address).post('/auth/magic-link/verify', { request_id: 'ml_x', code: '123456' }),
    401,
  ],
  [
    'returns from Google',
    (address: string) => portal.browser(address).get('/auth/sso/google/callback?state=x'),
    403,
  ],
])(
  '%s that do not hold are refused with a time after so many, and not recorded any more',
  async (what, send, status) => {
    const network = `2001:db8:0:${what.charCodeAt(0)}::`;
    for (let time = 1; time <= LIMIT; time += 1)
      expect((await send(`${network}${time}`)).status).toBe(status);
    for (let time = 1; time <= 3; time += 1) {
      const refused = await send(`${network}${time}`);
      expect({ status: refused.status, code: refused.body.error.code }).toEqual({
        status: 429,
        code: 'rate_limited',
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await recorded(`${network}/64`)).toBe(LIMIT);
    // Whoever shares the network signs in, and others are refused as ever.
    expect(
      await (await portal.signIn(await portal.contact(), portal.browser(`${network}9`))).isSignedIn(),
    ).toBe(true);
    expect((await send('203.0.113.77')).status).toBe(status);
  },
);

test('and a right code is not tried any more from there, for it would be a guess', async () => {
  const address = '203.0.113.80';
  const { email } = await portal.contact();
  const { requestId, code } = await portal.link(email);
  const verify = (from: string, right: string) =>
    portal.browser(from).post('/auth/magic-link/verify', { request_id: requestId, code: right });
  for (let time = 1; time <= LIMIT; time += 1)
    await portal.browser(address).post('/auth/magic-link/verify', { token: 'x' });
  expect((await verify(address, code)).status).toBe(429);
  expect((await verify('203.0.113.81', code)).status).toBe(200);
});

test('after ten wrong codes in a day an address has no right ones, but links', async () => {
  const { email } = await portal.contact();
  let from = 90;
  const verify = (proof: object) =>
    portal.browser(`203.0.113.${(from += 1)}`).post('/auth/magic-link/verify', proof);
  const ask = async () => {
    await portal.service.sql(`UPDATE magic_link SET created_at = created_at - interval '2 hours'`);
    const { body } = await portal.browser(`203.0.113.${(from += 1)}`).post('/auth/magic-link', { email });
    return body.data.request_id as string;
  };
  const proofsOf = (requestId: string) => {
    const secrets = portal.service.app.get(Secrets);
    const code = codeOf(secrets, requestId);
    const wrong = code === '000000' ? '000001' : '000000';
    return {
      right: { request_id: requestId, code },
      wrong: { request_id: requestId, code: wrong },
      token: { token: tokenOf(secrets, requestId) },
    };
  };
  // Neither a code that was right is one of them, nor does a link that was used make up for one.
  expect((await verify(proofsOf(await ask()).token)).status).toBe(200);
  for (let time = 1; time <= 3; time += 1) {
    const { right, wrong } = proofsOf(await ask());
    for (let tries = 1; tries <= 3; tries += 1) expect((await verify(wrong)).status).toBe(401);
    expect((await verify(right)).status).toBe(200);
  }
  const { wrong } = proofsOf(await ask());
  expect((await verify(wrong)).status).toBe(401);
  const last = proofsOf(await ask());
  expect((await verify(last.right)).status).toBe(401);
  expect((await verify(last.token)).status).toBe(200);
});

test('mails asked for beyond the limit reach no database', async () => {
  const ask = () => portal.browser('203.0.113.70').post('/auth/magic-link', { email: 'a@acme.test' });
  const codes = [];
  for (let time = 1; time <= LIMIT; time += 1) codes.push((await ask()).body.error?.code);
  expect(codes).toEqual([undefined, ...Array.from({ length: LIMIT - 1 }, () => 'too_many_requests')]);
  let refused: Answer | undefined;
  const statements = await statementsDuring(async () => (refused = await ask()));
  expect([refused?.status, refused?.body.error.code]).toEqual([429, 'rate_limited']);
  // But for the reading by the mail of the first, which may leave just now.
  expect(statements.filter((text) => /(INTO|UPDATE) magic_link|advisory_xact_lock/.test(text))).toEqual([]);
});

test('a contact refreshes as often as it may ask, and what is refused costs nothing', async () => {
  const { contact, browser } = await portal.signedIn();
  const statuses: number[] = [];
  for (let time = 1; time <= LIMIT + 2; time += 1) statuses.push((await browser.refresh()).status);
  expect(statuses).toEqual([...Array.from({ length: LIMIT }, () => 200), 429, 429]);
  const tokens = await portal.service.sql(
    'SELECT FROM refresh_token t JOIN portal_session s ON s.id = t.session_id WHERE s.contact_id = $1',
    [contact.id],
  );
  expect(tokens).toHaveLength(LIMIT + 1);
});

test('a stolen refresh token is found out, however often its contact asks', async () => {
  const { contact, browser } = await portal.signedIn();
  const thief = browser.at();
  expect((await thief.refresh()).status).toBe(200);
  await portal.service.sql(
    `UPDATE refresh_token t SET used_at = used_at - interval '31 seconds'
     FROM portal_session s WHERE s.id = t.session_id AND s.contact_id = $1`,
    [contact.id],
  );
  while ((await thief.refresh()).status !== 429);
  expect((await browser.refresh()).status).toBe(401);
  expect((await thief.refresh()).status).toBe(401);
});
