// What every answer tells browsers, whichever way it comes about.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PORTAL } from '../support/browser.js';
import { createContact } from '../support/factories.js';
import { sendRaw } from '../support/raw-request.js';
import { TEST_SECRET, TestService } from '../support/service.js';

const NOTHING = "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'";
const EVERYWHERE = {
  'content-security-policy': NOTHING,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

let service: TestService;
beforeAll(async () => {
  service = await TestService.start({ PORTAL_ORIGINS: PORTAL });
});
afterAll(() => service.stop());

type Headers = Record<string, string>;

/** Status and headers of the answer to these bytes, names in lower case. */
async function answer(request: string, at = service): Promise<{ status: number; headers: Headers }> {
  const { status, headers } = await sendRaw(at.url, request);
  const lines = headers.split('\r\n').slice(1);
  const pairs = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ]);
  return { status, headers: Object.fromEntries(pairs) as Headers };
}

const ask = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: contacts.test\r\nConnection: close\r\n${more}\r\n`;

describe('forbids everything on', () => {
  test.each([
    ['a success', ask('GET', '/health/live'), 200],
    ['a refusal', ask('GET', '/api/contacts'), 401],
    ['an unknown route', ask('GET', '/nowhere'), 404],
    ['an unknown method', ask('PURGE', '/api/contacts'), 404],
    ['a preflight', ask('OPTIONS', '/api/contacts', `Origin: ${PORTAL}\r\nAccess-Control-Request-Method: PATCH\r\n`), 204],
    ['a preflight of another origin', ask('OPTIONS', '/api/contacts', 'Origin: https://evil.test\r\n'), 404],
    ['a malformed query', ask('GET', '/api/contacts?search=%ff'), 400],
    ['a malformed path', ask('GET', '/api/contacts/%ff'), 400],
    ['a path too long', ask('GET', `/api/contacts/${'a'.repeat(201)}`), 414],
    ['a body too large', ask('POST', '/api/contacts', 'Content-Type: application/json\r\nContent-Length: 2000000\r\n'), 413],
    ['the reference as JSON', ask('GET', '/openapi.json'), 200],
    ['the published keys', ask('GET', '/.well-known/jwks.json'), 200],
    ['a request without Host', 'GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an expectation nobody knows', ask('GET', '/health/live', 'Expect: wonders\r\n'), 200],
    ['what is no HTTP', 'hello\r\n\r\n', 400],
    ['headers too large', ask('GET', '/', `X-Long: ${'a'.repeat(20_000)}\r\n`), 431],
  ])('%s', async (_case, request, status) => {
    const { headers, ...rest } = await answer(request);
    expect(rest).toEqual({ status });
    expect(headers).toMatchObject(EVERYWHERE);
  }); // prettier-ignore

  test('a write, and what it has made', async () => {
    const id = await createContact(service.api);
    const { headers } = await service.api.get(`/api/contacts/${id}`);
    expect(headers).toMatchObject(EVERYWHERE);
    const changed = await service.api.patch(`/api/contacts/${id}`, { title: 'CEO' });
    expect(changed.headers).toMatchObject(EVERYWHERE);
  });
});

describe('caches', () => {
  test.each([['/api/contacts'], ['/api/companies'], ['/api/audit'], ['/nowhere']])(
    'keep nothing of %s',
    async (path) => {
      expect((await service.api.get(path)).headers['cache-control']).toBe('no-store');
    },
  );
});

test('no answer names the software that made it', async () => {
  for (const path of ['/health/live', '/docs', '/docs/swagger-ui.css', '/portal-demo/', '/nowhere', '/%'])
    expect(Object.keys((await answer(ask('GET', path))).headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(server|x-powered-by|via|x-.*version)$/)]),
    );
});

describe('pages allow what they are made of:', () => {
  test.each([
    ['/docs', "script-src 'self'", "style-src 'self' 'unsafe-inline'", "connect-src 'self'"],
    ['/docs/', "script-src 'self'"],
    ['/docs/index.html', "script-src 'self'"],
    ['/portal-demo/', "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
    [`/auth/magic-link?token=${'a'.repeat(43)}`, "style-src 'unsafe-inline'", `form-action 'self'`],
  ])('%s', async (path, ...directives) => {
    const { headers } = await answer(ask('GET', path));
    const policy = headers['content-security-policy']?.split(';') ?? [];
    expect(headers['content-type']).toContain('text/html');
    expect(policy).toEqual(expect.arrayContaining([...directives, "default-src 'none'", "frame-ancestors 'none'"]));
    expect(policy.join(';')).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline|\*/);
    expect(headers).toMatchObject({ ...EVERYWHERE, 'content-security-policy': expect.any(String), 'referrer-policy': expect.any(String) });
  }); // prettier-ignore
});

describe('Strict-Transport-Security', () => {
  test('is not claimed where we are reached by http', async () => {
    expect((await answer(ask('GET', '/health/live'))).headers).not.toHaveProperty(
      'strict-transport-security',
    );
  });

  test('holds for our own host, and for no other, where PUBLIC_URL is https', async () => {
    const secure = await TestService.start({
      PUBLIC_URL: 'https://contacts.acme.test',
      PORTAL_SECRET: TEST_SECRET,
    });
    try {
      for (const request of [
        ask('GET', '/health/live'),
        ask('GET', '/docs'),
        ask('GET', '/%'),
        'hello\r\n\r\n',
      ]) {
        const { headers } = await answer(request, secure);
        expect(headers['strict-transport-security']).toBe('max-age=31536000');
      }
      const { headers } = await answer(ask('GET', '/docs'), secure);
      expect(headers['content-security-policy']).toContain("connect-src 'self' https://contacts.acme.test");
    } finally {
      await secure.stop();
    }
  });
});
