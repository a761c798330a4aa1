// Whoever tries to sign in without a proof, or to refresh without end: limited, without harm to those who have one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PortalService } from '../support/portal.js';

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
