// Requests that are too large or too slow, and too many connections: each is refused, and nobody else notices.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TableHolder } from '../support/hold-table.js';
import { type RawAnswer, dribble, open, sendRaw } from '../support/raw-request.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

const HOST = 'Host: contacts.test\r\n';
const CLOSE = 'Connection: close\r\n';

function told({ status, headers, body }: RawAnswer) {
  const { ok, error } = JSON.parse(body) as { ok: boolean; error: { code: string; request_id: string } };
  expect(headers.toLowerCase()).toContain(`x-request-id: ${error.request_id}`);
  return [status, ok, error.code];
}

describe('too large', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start();
  });
  afterAll(() => service.stop());

  const path = (length: number): string => `/api/contacts?search=${'a'.repeat(length - 21)}`;
  const headers = (count: number): string =>
    Array.from({ length: count }, (_, index) => `x-h${index}: 1\r\n`).join('');

  test.each([
    ['a URL of more than 8 KiB', `GET ${path(8_193)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 414, 'url_too_long'],
    ['a URL that is all the parser reads', `GET ${path(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 414, 'url_too_long'],
    ['more than a hundred headers', `GET / HTTP/1.1\r\n${HOST}${CLOSE}${headers(99)}\r\n`, 431, 'headers_too_large'],
    ['more headers than Node counts', `GET / HTTP/1.1\r\n${HOST}${CLOSE}${'a:\r\n'.repeat(3_000)}\r\n`, 431, 'headers_too_large'],
    ['headers of more than 16 KiB', `GET / HTTP/1.1\r\n${HOST}a: ${'b'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ])('is %s', async (_case, request, status, code) => {
    expect(told(await sendRaw(service.url, request))).toEqual([status, false, code]);
  }); // prettier-ignore

  test.each([
    ['a URL of 8 KiB', `GET ${path(8_192)} HTTP/1.1\r\n${HOST}${CLOSE}\r\n`],
    ['a hundred headers', `GET /api/contacts HTTP/1.1\r\n${HOST}${CLOSE}${headers(98)}\r\n`],
  ])('is not %s', async (_case, request) => {
    expect(told(await sendRaw(service.url, request))).toEqual([401, false, 'unauthenticated']);
  });
});

describe('too slow', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start({ HTTP_HEADERS_TIMEOUT_MS: '300', HTTP_REQUEST_TIMEOUT_MS: '600' });
  });
  afterAll(() => service.stop());

  const post = `POST /auth/magic-link HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n`;
  const cases: [string, string, string][] = [
    ['headers that never end', `GET /api/contacts HTTP/1.1\r\n${HOST}X-Slow: `, 'a'],
    ['a connection that says nothing', '', ''],
    ['a body that trickles in', `${post}{`, ' '],
    ['a body that stops', `${post}{`, ''],
    ['chunks that trickle in', post.replace(/Content-Length.*?\r\n/, 'Transfer-Encoding: chunked\r\n'), '1\r\n \r\n'],
  ]; // prettier-ignore
  test.each(cases)('is %s: it is cut, and told why', async (_case, head, rest) => {
    expect(told(await dribble(service.url, head, rest))).toEqual([408, false, 'request_timeout']);
  });

  test('is not a connection that waits between two requests', async () => {
    const socket = open(service.url);
    const ask = async (): Promise<string> => {
      socket.write(`GET /health/live HTTP/1.1\r\n${HOST}\r\n`);
      return String((await once(socket, 'data'))[0]).slice(0, 15);
    };
    expect(await ask()).toBe('HTTP/1.1 200 OK');
    // Longer than it takes to cut one that is too slow.
    expect((await dribble(service.url, '', '')).status).toBe(408);
    expect(await ask()).toBe('HTTP/1.1 200 OK');
    socket.destroy();
  });

  test('fifty at once harm nobody', async () => {
    const slow = Array.from({ length: 50 }, (_, index) => {
      const [, head, rest] = cases[index % cases.length] as [string, string, string];
      return dribble(service.url, head, rest);
    });
    const over = new AbortController();
    const all = Promise.all(slow).finally(() => over.abort());
    let answered = 0;
    while (!over.signal.aborted) {
      expect((await service.api.get('/api/contacts')).status).toBe(200);
      answered += 1;
    }
    expect((await all).map(({ status }) => status)).toEqual(slow.map(() => 408));
    expect(answered).toBeGreaterThan(0);
  });
});

describe('too slow to read its answer', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start({
      HTTP_RESPONSE_TIMEOUT_MS: '5000',
      HTTP_MAX_REQUESTS: '1',
      DATABASE_TIMEOUT_MS: '60000',
    });
  });
  afterAll(() => service.stop());

  const ask = async () => (await fetch(`${service.url}/.well-known/jwks.json`)).status;

  const BUNDLE = `GET /docs/swagger-ui-bundle.js HTTP/1.1\r\n${HOST}\r\n`;

  test.each([
    ['nothing', () => {}],
    ['a little now and then', (socket: Socket) => void socket.read(1_000)],
  ])('is a client that reads %s: it is cut, and makes room for others', async (_what, read) => {
    const socket = open(service.url);
    socket.pause();
    const end = once(socket, 'close');
    // Until the system keeps no more for it, so that one answer is under way and stays so.
    for (let refused = 0; refused < 20; await sleep(20)) {
      if (refused === 0) socket.write(BUNDLE);
      refused = (await ask()) === 503 ? refused + 1 : 0;
    }
    const reading = setInterval(() => read(socket), 50);
    await waitUntil(async () => (await ask()) === 200);
    clearInterval(reading);
    socket.resume();
    await end;
  });

  test('is none who reads in time, nor one whose answer takes its time to be made', async () => {
    const whole = await fetch(`${service.url}/docs/swagger-ui-bundle.js`);
    expect((await whole.arrayBuffer()).byteLength).toBeGreaterThan(1_000_000);
    const holder = await TableHolder.of(service);
    await holder.hold('contact');
    const late = service.api.get('/api/contacts');
    // Longer than a reader would be given.
    await sleep(7_500);
    await holder.end();
    expect((await late).status).toBe(200);
  });
});

describe('too many connections', () => {
  const CONNECTIONS = 8;
  const RESERVE = 64;

  test('are told so, the balancer is answered still, and there is room again when some have gone', async () => {
    const service = await TestService.start({ HTTP_MAX_CONNECTIONS: String(CONNECTIONS) });
    const ask = (path: string): Promise<RawAnswer> =>
      sendRaw(service.url, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
    const held: Socket[] = [];
    const hold = async (): Promise<void> => {
      const socket = open(service.url);
      held.push(socket);
      await once(socket, 'connect');
    };
    for (let count = 0; count < CONNECTIONS; count += 1) await hold();
    const refused = await ask('/api/contacts');
    expect(told(refused)).toEqual([503, false, 'overloaded']);
    expect(refused.headers).toMatch(/connection: close/i);
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);

    for (let count = 0; count < RESERVE; count += 1) await hold();
    expect(await sendRaw(service.url, `GET / HTTP/1.1\r\n${HOST}\r\n`)).toMatchObject({
      headers: '',
      body: '',
    });

    for (const socket of held) socket.destroy();
    await waitUntil(async () => {
      const { status } = await sendRaw(service.url, `GET /api/contacts HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
      return status === 401;
    });
    await service.stop();
  });
});
