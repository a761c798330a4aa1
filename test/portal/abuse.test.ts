// What an attacker tries: finding out who has access, and leading a sign-in elsewhere.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, PORTAL } from '../support/browser.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const ask = (body: object) => portal.browser().post('/auth/magic-link', body);
const guess = (request_id: string, code: string) =>
  portal.browser().post('/auth/magic-link/verify', { request_id, code });

describe('nobody learns whether an address is known', () => {
  /** Everything of an answer that a client sees, but for ids and the time. */
  const seen = ({ status, headers, text }: Answer) => ({
    status,
    headers: [...headers].map(([name, value]) => [name, /^(date|x-request-id)$/.test(name) ? '' : value]),
    text: text.replace(/ml_\w{16}/, 'ml_').replace(/"request_id":"[\w-]{36}"/, ''),
    // The remaining seconds of a cooldown run down from one request to the next.
    ...(status === 429 && { headers: [...headers.keys()] }),
  });

  test('from status, body or headers: of the request, the cooldown, a guessed code, or a product that is none', async () => {
    const known = (await portal.contact()).email;
    const withdrawn = (await portal.contact({ portal_access: 0, portal_role: null })).email;
    const answers = async (email: string) => {
      const asked = await ask({ email });
      return [
        asked,
        await ask({ email }),
        await guess(asked.body.data.request_id, '000000'),
        await ask({ email, product: 'none' }),
        await ask({ email, redirect: 'https://evil.test' }),
      ].map(seen);
    };
    const ofKnown = await answers(known);
    expect(ofKnown.map(({ status }) => status)).toEqual([202, 429, 401, 400, 400]);
    expect(await answers(withdrawn)).toEqual(ofKnown);
    expect(await answers('nobody@acme.test')).toEqual(ofKnown);
  });

  test('from the time it takes: medians of interleaved runs do not differ one way', async () => {
    const pairs = 40;
    const contacts = await Promise.all(Array.from({ length: pairs }, () => portal.contact()));
    const timed = async (work: () => Promise<Answer>) => {
      const start = performance.now();
      const { body } = await work();
      return { took: performance.now() - start, requestId: (body.data?.request_id ?? '') as string };
    };
    const asked: Pair[] = [];
    const guessed: Pair[] = [];
    for (const [index, { email }] of contacts.entries()) {
      // Who goes first alternates, so that nothing that drifts or warms up counts for one side.
      const sides = { known: email, unknown: `nobody${index}@acme.test` };
      const order = (index % 2 ? ['known', 'unknown'] : ['unknown', 'known']) as (keyof Pair)[];
      const ids: Record<string, string> = {};
      const [ask_, guess_]: [Partial<Pair>, Partial<Pair>] = [{}, {}];
      for (const side of order) {
        const { took, requestId } = await timed(() => ask({ email: sides[side] }));
        [ask_[side], ids[side]] = [took, requestId];
      }
      for (const side of order) guess_[side] = (await timed(() => guess(ids[side] ?? '', '000000'))).took;
      asked.push(ask_ as Pair);
      guessed.push(guess_ as Pair);
    }
    for (const runs of [asked, guessed]) {
      // A sign test: by chance alone, fewer than 7 or more than 33 of 40 happen about once in 100 000 runs.
      const knownSlower = runs.filter(({ known, unknown }) => known > unknown).length;
      const ratio = median(runs.map(({ known }) => known)) / median(runs.map(({ unknown }) => unknown));
      const systematic = (knownSlower < 7 || knownSlower > 33) && Math.abs(Math.log(ratio)) > Math.log(1.15);
      expect({ knownSlower, ratio, systematic }).toMatchObject({ systematic: false });
    }
  });
});

interface Pair {
  known: number;
  unknown: number;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

describe('a redirect', () => {
  test.each([
    'https://evil.test/',
    '//evil.test/',
    '///evil.test/',
    '/\\evil.test/',
    '\\\\evil.test\\',
    '/path/on/nobodys/host',
    'portal.acme.test/',
    'https:\\\\evil.test/',
    'https:evil.test/',
    `${PORTAL}@evil.test/`,
    `${PORTAL}:443@evil.test/`,
    `${PORTAL}\\@evil.test/`,
    'https://user:password@portal.acme.test/',
    'https://evil.test@portal.acme.test/',
    `${PORTAL}.evil.test/`,
    'https://evilportal.acme.test/',
    'https://acme.test/',
    'https://sub.portal.acme.test/',
    `${PORTAL}./`,
    `${PORTAL}%2eevil.test/`,
    `${PORTAL}%00.evil.test/`,
    `${PORTAL}。evil.test/`,
    'https://pоrtal.acme.test/',
    `${PORTAL}:8443/`,
    'http://portal.acme.test/',
    'ftp://portal.acme.test/',
    'wss://portal.acme.test/',
    'javascript:alert(1)//https://portal.acme.test/',
    'java\tscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    `blob:${PORTAL}/0b2a6d2c`,
    `view-source:${PORTAL}/`,
    `https://evil.test/?${PORTAL}/`,
    `https://evil.test/#${PORTAL}/`,
    `${PORTAL}\t.evil.test/`,
    `${PORTAL}/\r\nSet-Cookie: a=b`,
    'null',
    '',
    '*',
  ])('to %j is refused', async (redirect) => {
    const { status, body } = await ask({ email: 'somebody@acme.test', redirect });
    expect({ status, field: body.error?.field }).toEqual({ status: 400, field: 'redirect' });
  });

  test.each([
    ['a list', [`${PORTAL}/`, 'https://evil.test/']],
    ['an object', { href: `${PORTAL}/` }],
    ['null', null],
  ])('that is %s is refused', async (_case, redirect) => {
    expect((await ask({ email: 'somebody@acme.test', redirect })).status).toBe(400);
  });

  test.each([
    [PORTAL, `${PORTAL}/`],
    [`${PORTAL}:443/a`, `${PORTAL}/a`],
    ['HTTPS://PORTAL.ACME.TEST/Deals', `${PORTAL}/Deals`],
    [`${PORTAL}/a/../b?next=//evil.test#c`, `${PORTAL}/b?next=//evil.test#c`],
    ['https:portal.acme.test/a', `${PORTAL}/a`],
    ['http://localhost:5173/', 'http://localhost:5173/'],
    [`${PUBLIC_URL}/portal-demo/`, `${PUBLIC_URL}/portal-demo/`],
  ])('to %j is emitted as it was understood: %j', async (redirect, emitted) => {
    const { token } = await portal.link((await portal.contact()).email, { redirect });
    const { body } = await portal.browser().post('/auth/magic-link/verify', { token });
    expect(body.data.redirect).toBe(emitted);
  });

  test('never follows from the page’s own URL', async () => {
    const { token } = await portal.link((await portal.contact()).email);
    const path = `/auth/magic-link?token=${token}&redirect=https://evil.test/`;
    expect((await portal.browser().get(path)).status).toBe(400);
  });
});
