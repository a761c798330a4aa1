// Which pages may call from a browser: those of our own and the configured origins, and no others.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import supertest from 'supertest';
import { open } from '../support/raw-request.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

const PORTAL = 'https://portal.acme.test';
const SECOND = 'https://people.acme.test:8443';
const OWN = 'http://127.0.0.1:3000';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start({ PORTAL_ORIGINS: `${PORTAL}, ${SECOND}` });
});
afterAll(() => service.stop());

/** Whatever becomes of a request, a portal is to know it. */
const READABLE = {
  'access-control-allow-origin': PORTAL,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers':
    'ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Consistency-Token, X-Request-Id',
  vary: 'Origin',
};

const visit = (origin?: string) => service.as(origin === undefined ? {} : { origin });

/** What a browser asks before a write. OPTIONS is answered before any route, so no route documents it. */
const preflight = (path: string, headers: Record<string, string>) =>
  supertest(service.app.getHttpServer()).options(path).set(headers);

test('a developer is told once of each origin that is not allowed', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn');
  for (const origin of [PORTAL, 'http://localhost:5173', 'http://localhost:5173', undefined, 'null'])
    await visit(origin).get('/health/live');
  expect(warn.mock.calls.map(([line]: unknown[]) => line)).toEqual(
    ['http://localhost:5173', 'null'].map(
      (origin) => `Pages of ${origin} cannot call this service: it is not in PORTAL_ORIGINS.`,
    ),
  );
  warn.mockRestore();
});

describe('an answer', () => {
  test.each([PORTAL, SECOND, OWN])('may be read by a page of %s, with cookies', async (origin) => {
    const { headers } = await visit(origin).get('/health/live');
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers':
        'ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Consistency-Token, X-Request-Id',
    });
  });

  test('may be read where none of our hooks sees it', async () => {
    const malformed = await visit(PORTAL).get('/%');
    expect(malformed.status).toBe(400);
    expect(malformed.headers).toMatchObject(READABLE);
    const small = await TestService.start({ PORTAL_ORIGINS: PORTAL, HTTP_MAX_REQUESTS: '1' });
    const held = open(small.url);
    await once(held, 'connect');
    // Accepted, and under way as long as its body is.
    held.write(
      'POST /api/contacts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    const ask = async (origin: string) =>
      supertest(small.app.getHttpServer()).get('/api/contacts').set({ origin });
    await waitUntil(async () => (await ask(PORTAL)).status === 503);
    expect((await ask(PORTAL)).headers).toMatchObject(READABLE);
    expect((await ask('https://evil.test')).headers).not.toHaveProperty('access-control-allow-origin');
    held.destroy();
    await small.stop();
  });

  test.each([
    ['another site', 'https://evil.test'],
    ['a subdomain', 'https://x.portal.acme.test'],
    ['a longer name', 'https://portal.acme.test.evil.test'],
    ['another port', 'https://portal.acme.test:8443'],
    ['another scheme', 'http://portal.acme.test'],
    ['other letters', 'https://PORTAL.acme.test'],
    ['a path', `${PORTAL}/`],
    ['two origins', `${PORTAL} ${SECOND}`],
    ['a sandboxed frame', 'null'],
    ['a wildcard', '*'],
    ['nothing', ''],
  ])('may not be read by a page of %s', async (_case, origin) => {
    const { headers } = await visit(origin).get('/health/live');
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    expect(headers.vary).toContain('Origin');
  });

  test('names no origin to callers that send none, and varies by it all the same', async () => {
    const { headers } = await visit().get('/health/live');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers.vary).toContain('Origin');
  });

  test.each([
    ['401', '/api/contacts', 401],
    ['404', '/nowhere', 404],
    ['400 of a malformed query', '/api/contacts?search=%ff', 400],
  ])('can be read when it is a %s, too', async (_case, path, status) => {
    const response = await visit(PORTAL).get(path);
    expect(response.status).toBe(status);
    expect(response.headers['access-control-allow-origin']).toBe(PORTAL);
  });
});

describe('a preflight', () => {
  const wish = {
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,if-match',
  };

  test('from a configured origin is allowed without credentials, for every method and header of the API', async () => {
    const response = await preflight('/api/contacts/ct_a1b2c3d4', { origin: PORTAL, ...wish });
    expect(response.status).toBe(204);
    expect(response.text).toBe('');
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': PORTAL,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE',
      'access-control-allow-headers':
        'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Consistency-Token, X-Request-Id',
      'access-control-max-age': '600',
    });
    expect(response.headers.vary).toContain('Origin');
    expect(response.headers).toHaveProperty('x-request-id');
  });

  test('never allows an API key: it has no place in a browser', async () => {
    const response = await preflight('/api/contacts', { origin: PORTAL, ...wish });
    expect(response.headers['access-control-allow-headers']?.toLowerCase()).not.toContain('x-sm-key');
  });

  test.each([
    ['from another origin', { origin: 'https://evil.test', ...wish }],
    ['without an origin', wish],
  ])('%s gets nothing', async (_case, headers) => {
    const response = await preflight('/api/contacts', headers);
    expect(response.status).toBe(404);
    expect(response.body).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

describe('the demo portal', () => {
  test('is served in development at the address that ends in a slash', async () => {
    const page = await supertest(service.app.getHttpServer()).get('/portal-demo/');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    const bare = await supertest(service.app.getHttpServer()).get('/portal-demo');
    expect(bare.headers.location).toMatch(/\/portal-demo\/$/);
  });

  test('is opened under our own host name, which the cookies of a sign-in belong to', async () => {
    const page = await supertest(service.app.getHttpServer())
      .get('/portal-demo/')
      .set('host', 'localhost:3000');
    expect([page.status, page.headers.location]).toEqual([302, `${OWN}/portal-demo/`]);
  });

  test('does not exist in production', async () => {
    const production = await TestService.start({
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://contacts.acme.test',
      PORTAL_SECRET: 'a-secret-that-is-long-enough-for-a-test',
    });
    try {
      const page = await supertest(production.app.getHttpServer()).get('/portal-demo/');
      expect(page.status).toBe(404);
    } finally {
      await production.stop();
    }
  });
});
