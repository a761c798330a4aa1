// What is hardly HTTP, sent over a bare socket.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { sendRaw } from '../support/raw-request.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());
afterEach(async () => {
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
});

const HOST = 'Host: contacts.test\r\nConnection: close\r\n';

describe('is answered with the envelope:', () => {
  test.each([
    ['garbage', 'hello\r\n\r\n', 400, 'malformed_request'],
    ['TLS to the plain port', Buffer.from('16030100a5010000a10303', 'hex'), 400, 'malformed_request'],
    ['HTTP/2 without agreement', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed_request'],
    ['an unknown method', `FOO /api/contacts HTTP/1.1\r\n${HOST}\r\n`, 400, 'malformed_request'],
    ['a target without slash', `GET api HTTP/1.1\r\n${HOST}\r\n`, 400, 'malformed_request'],
    [
      'two lengths, as request smugglers send',
      `POST /api/contacts HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      400,
      'malformed_request',
    ],
    [
      'a header of 20 KB',
      `GET / HTTP/1.1\r\n${HOST}X-Long: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['a URL of 20 KB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 414, 'url_too_long'],
    [
      'raw bytes in the path',
      Buffer.from(`GET /api/\xff\xfe HTTP/1.1\r\n${HOST}\r\n`, 'latin1'),
      400,
      'malformed_request',
    ],
  ])('%s', async (_case, request, status, code) => {
    const answer = await sendRaw(service.url, request);
    expect(answer.status).toBe(status);
    const { error, ok } = JSON.parse(answer.body) as {
      ok: boolean;
      error: { code: string; request_id: string };
    };
    expect({ ok, code: error.code }).toEqual({ ok: false, code });
    expect(answer.headers).toContain(`X-Request-Id: ${error.request_id}`);
  });
});

describe('is refused before it is read to its end:', () => {
  test('a body that announces two megabytes', async () => {
    const head = `POST /api/contacts HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 2000000\r\n\r\n`;
    const answer = await sendRaw(service.url, `${head}{`);
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([413, 'body_too_large']);
  });

  test('a chunked body that grows beyond the limit', async () => {
    const chunk = `${(600_000).toString(16)}\r\n${'a'.repeat(600_000)}\r\n`;
    const head = `POST /api/contacts HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await sendRaw(service.url, `${head}${chunk}${chunk}0\r\n\r\n`);
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([413, 'body_too_large']);
  });
});

describe('methods', () => {
  const status = async (method: string, path: string) =>
    (await sendRaw(service.url, `${method} ${path} HTTP/1.1\r\n${HOST}\r\n`)).status;

  test.each(['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE', 'SEARCH'])(
    '%s on a list is 404',
    async (method) => {
      expect(await status(method, '/api/contacts')).toBe(404);
    },
  );

  test('HEAD answers as GET does, without the body', async () => {
    for (const [path, expected] of [
      ['/health/live', 200],
      ['/api/contacts', 401],
      ['/nope', 404],
    ] as const) {
      const head = await sendRaw(service.url, `HEAD ${path} HTTP/1.1\r\n${HOST}\r\n`);
      const get = await sendRaw(service.url, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
      expect([head.status, head.body, get.status]).toEqual([expected, '', expected]);
      const length = /content-length: \d+/i;
      expect(length.exec(head.headers)?.[0]).toBe(length.exec(get.headers)?.[0]);
    }
  });
});

test.each([
  '/docs/../package.json',
  '/docs/%2e%2e/%2e%2e/package.json',
  '/docs/..%2f..%2fpackage.json',
  '/docs//etc/passwd',
])('no file outside the documentation is served: %s', async (path) => {
  const answer = await sendRaw(service.url, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
  expect([400, 403, 404]).toContain(answer.status);
  expect(JSON.parse(answer.body).ok).toBe(false);
});
