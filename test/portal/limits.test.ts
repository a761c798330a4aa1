// How often one may ask: the same for every address, whether anybody has it or not, and for every process.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser } from '../support/browser.js';
import { PortalService } from '../support/portal.js';

let portal: PortalService;
let unproxied: Awaited<ReturnType<PortalService['secondProcess']>>;
beforeAll(async () => {
  portal = await PortalService.start();
  unproxied = await portal.secondProcess({ TRUST_PROXY: '' });
});
afterAll(async () => {
  await unproxied.stop();
  await portal.stop();
});
beforeEach(() => portal.service.sql('DELETE FROM magic_link'));

const ask = (email: string, browser: Browser = portal.browser()) =>
  browser.post('/auth/magic-link', { email });
const pass = (time: string) =>
  portal.service.sql(`UPDATE magic_link SET created_at = created_at - $1::interval`, [time]);
const retryAfter = (answer: { headers: Headers }) => Number(answer.headers.get('retry-after'));

describe.each(['a contact with access', 'a contact without access', 'nobody'])(
  'the address of %s',
  (whose) => {
    const address = async () => {
      if (whose === 'nobody') return `nobody-${Math.random()}@acme.test`;
      return (await portal.contact(whose.includes('without') ? { portal_access: 0, portal_role: null } : {}))
        .email;
    };

    test('rests for 60 s, for every client, in every spelling', async () => {
      const email = await address();
      expect((await ask(email)).status).toBe(202);
      for (const spelling of [email, email.toUpperCase(), ` ${email} `]) {
        const refused = await ask(spelling);
        expect({ status: refused.status, code: refused.body.error.code }).toEqual({
          status: 429,
          code: 'too_many_requests',
        });
        expect(retryAfter(refused)).toBeGreaterThan(50);
        expect(retryAfter(refused)).toBeLessThanOrEqual(60);
      }
      await pass('50 seconds');
      expect(retryAfter(await ask(email))).toBeLessThanOrEqual(10);
      await pass('11 seconds');
      expect((await ask(email)).status).toBe(202);
    });

    test('takes five requests an hour, and says when the next is taken', async () => {
      const email = await address();
      for (let request = 0; request < 5; request += 1) {
        expect((await ask(email)).status).toBe(202);
        await pass('2 minutes');
      }
      const refused = await ask(email);
      expect(refused.status).toBe(429);
      expect(retryAfter(refused)).toBeGreaterThan(49 * 60);
      expect(retryAfter(refused)).toBeLessThanOrEqual(50 * 60);
      await pass(`${retryAfter(refused)} seconds`);
      expect((await ask(email)).status).toBe(202);
      expect((await ask(email)).status).toBe(429);
    });

    test('takes fifteen requests a day', async () => {
      const email = await address();
      for (let request = 0; request < 15; request += 1) {
        expect((await ask(email)).status).toBe(202);
        await pass('61 minutes');
      }
      const refused = await ask(email);
      expect(refused.status).toBe(429);
      // The first was 15 times 61 minutes ago.
      expect(retryAfter(refused)).toBeGreaterThan(8.7 * 3600);
      expect(retryAfter(refused)).toBeLessThanOrEqual(8.75 * 3600);
      await pass(`${retryAfter(refused)} seconds`);
      expect((await ask(email)).status).toBe(202);
    });

    test('says so though the client asked for something else long before', async () => {
      const email = await address();
      const browser = portal.browser();
      expect((await ask(`else-${email}`, browser)).status).toBe(202);
      await pass('27 minutes');
      for (let request = 0; request < 5; request += 1) {
        expect((await ask(email, browser)).status).toBe(202);
        await pass('6 minutes');
      }
      const refused = await ask(email, browser);
      expect(retryAfter(refused)).toBeGreaterThan(29 * 60);
      await pass(`${retryAfter(refused)} seconds`);
      expect((await ask(email, browser)).status).toBe(202);
    });

    test('of parallel requests one is taken', async () => {
      const email = await address();
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(email)));
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        202,
        ...Array<number>(7).fill(429),
      ]);
    });
  },
);

describe('one client', () => {
  const unknown = (index: number) => `someone${index}@acme.test`;
  const askMany = async (count: number, browserFor: (index: number) => Browser) => {
    const statuses: number[] = [];
    for (let index = 0; index < count; index += 1)
      statuses.push((await ask(unknown(index), browserFor(index))).status);
    return statuses;
  };
  const ALL_BUT_LAST = [...Array<number>(30).fill(202), 429];

  test('asks for 30 addresses an hour, in all processes together', async () => {
    const browser = portal.browser('203.0.113.7');
    const other = await portal.secondProcess();
    try {
      const elsewhere = browser.at(other.url);
      expect(await askMany(31, (index) => (index % 2 ? elsewhere : browser))).toEqual(ALL_BUT_LAST);
      expect((await ask('fresh@acme.test', elsewhere)).status).toBe(429);
    } finally {
      await other.stop();
    }
    expect((await ask('fresh@acme.test', portal.browser('203.0.113.8'))).status).toBe(202);
    await pass('61 minutes');
    expect((await ask('later@acme.test', browser)).status).toBe(202);
  });

  test('asks for 150 addresses a day', async () => {
    await portal.service.sql(
      `INSERT INTO magic_link (id, address_hash, client_address, token_hash, code_hash, redirect, expires_at, created_at)
       SELECT 'ml_' || n, sha256(n::text::bytea), '203.0.113.9', sha256(n::text::bytea), '', '', now(), now() - interval '2 hours'
       FROM generate_series(1, 149) AS n`,
    );
    const browser = portal.browser('203.0.113.9');
    expect((await ask('a@acme.test', browser)).status).toBe(202);
    const refused = await ask('b@acme.test', browser);
    expect(refused.status).toBe(429);
    expect(retryAfter(refused)).toBeGreaterThan(0);
  });

  test('of IPv6 is its /64 network', async () => {
    expect(await askMany(31, (index) => portal.browser(`2001:db8:1:2:${index.toString(16)}::1`))).toEqual(
      ALL_BUT_LAST,
    );
    expect((await ask('fresh@acme.test', portal.browser('2001:db8:1:3::1'))).status).toBe(202);
  });

  test('is not believed what it writes into X-Forwarded-For without a configured proxy', async () => {
    expect(await askMany(31, (index) => portal.browser(`203.0.113.${index}`, unproxied.url))).toEqual(
      ALL_BUT_LAST,
    );
  });

  test('behind the configured proxy is whom that proxy saw, whatever it claims itself', async () => {
    const spoofed = (index: number) => portal.browser(`203.0.113.${index}, 198.51.100.1`);
    expect(await askMany(31, spoofed)).toEqual(ALL_BUT_LAST);
  });

  test.each([
    'garbage',
    '1.2.3.4:5678',
    "'; DROP TABLE contact",
    'fe80::1%eth0',
    '::ffff:192.0.2.1',
    'unknown',
    ',',
  ])('behind a proxy that forwards %j is answered all the same', async (forwarded) => {
    const { email } = await portal.contact();
    const browser = portal.browser(forwarded);
    expect((await ask(email, browser)).status).toBe(202);
    const { token } = await portal.mail.mailTo(email);
    expect((await browser.post('/auth/magic-link/verify', { token })).status).toBe(200);
  });
});

describe('the code', () => {
  const guess = (requestId: string, code: string) =>
    portal.browser().post('/auth/magic-link/verify', { request_id: requestId, code });
  const wrong = (code: string, by: number) => String((Number(code) + by) % 1_000_000).padStart(6, '0');

  test('survives four wrong tries', async () => {
    const { requestId, code } = await portal.link((await portal.contact()).email);
    for (let by = 1; by <= 4; by += 1) expect((await guess(requestId, wrong(code, by))).status).toBe(401);
    expect((await guess(requestId, code)).status).toBe(200);
  });

  test('does not survive five, while the link of the same mail still works', async () => {
    const { requestId, code, token } = await portal.link((await portal.contact()).email);
    for (let by = 1; by <= 5; by += 1) expect((await guess(requestId, wrong(code, by))).status).toBe(401);
    expect((await guess(requestId, code)).status).toBe(401);
    expect((await portal.browser().post('/auth/magic-link/verify', { token })).status).toBe(200);
  });

  test('parallel tries are counted one by one', async () => {
    const { requestId, code } = await portal.link((await portal.contact()).email);
    await Promise.all(Array.from({ length: 20 }, (_, index) => guess(requestId, wrong(code, index + 1))));
    expect(await portal.service.sql('SELECT attempts FROM magic_link WHERE id = $1', [requestId])).toEqual([
      { attempts: 5 },
    ]);
    expect((await guess(requestId, code)).status).toBe(401);
  });

  test('tries are counted for an unknown address, too', async () => {
    const { body } = await ask('unknown@acme.test');
    for (let index = 0; index < 7; index += 1)
      expect((await guess(body.data.request_id, '000000')).status).toBe(401);
    expect(await portal.service.sql('SELECT attempts FROM magic_link')).toEqual([{ attempts: 5 }]);
  });
});
