// What the balancers' configuration says and does beside what test/chaos proves of it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';
import { Balancer, type Kind } from './chaos/balancer.js';
import { findProgram } from './support/find-program.js';
import { sendRaw } from './support/raw-request.js';
import { waitUntil } from './support/wait.js';

const read = (name: string): string => readFileSync(new URL(`../deploy/${name}`, import.meta.url), 'utf8');
const haproxy = read('haproxy.cfg');
const nginx = read('nginx.conf');

const { DATABASE_TIMEOUT_MS, HTTP_MAX_REQUESTS } = loadEnv({});

/** What a directive is set to, each time it is. */
const settings = (text: string, directive: string): string[] =>
  [...text.matchAll(new RegExp(`^[ \\t]*${directive}[ \\t]+([^;\\n]*)`, 'gm'))].map(([, value = '']) =>
    value.trim(),
  );

test('nobody changes what a balancer sends to another process', () => {
  expect(settings(haproxy, 'retry-on')).toEqual(['conn-failure']);
  expect(settings(nginx, 'proxy_next_upstream')).toEqual(['error timeout']);
});

test('balancers wait longer for a process than it waits for the database', () => {
  for (const value of [...settings(haproxy, 'timeout server'), ...settings(nginx, 'proxy_read_timeout')])
    expect(Number.parseInt(value, 10) * 1_000).toBeGreaterThan(DATABASE_TIMEOUT_MS);
});

test('balancers send a process as many requests at once as it takes', () => {
  const limits = [...`${haproxy}\n${nginx}`.matchAll(/\b(?:maxconn |max_conns=)(\d+)/g)].map(([, most]) =>
    Number(most),
  );
  expect(limits).toEqual([HTTP_MAX_REQUESTS, HTTP_MAX_REQUESTS, HTTP_MAX_REQUESTS, HTTP_MAX_REQUESTS]);
});

describe('before three processes', () => {
  let servers: Server[];
  /** How often they were asked for what ends them. */
  let asked: number;
  /** How many wait for an answer that never comes. */
  let waiting: number;
  beforeEach(async () => {
    [asked, waiting] = [0, 0];
    servers = [1, 2, 3].map(() =>
      createServer((request, response) => {
        if (request.url === '/never') return void (waiting += 1);
        if (request.url === '/health/ready') return response.end();
        if (request.url !== '/ends-it') return response.writeHead(401).end();
        asked += 1;
        return request.socket.destroy();
      }).listen(0, '127.0.0.1'),
    );
    await Promise.all(servers.map((server) => once(server, 'listening')));
  });
  afterEach(() => {
    for (const server of servers) server.close().closeAllConnections();
  });

  const startBalancer = (kind: Kind): Promise<Balancer> => {
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    return Balancer.before(kind, findProgram(kind) ?? '', ports);
  };

  /** Where a balancer is not installed there is nothing to ask. */
  const behind = (kind: Kind): typeof test.skip => (findProgram(kind) ? test : test.skip);

  async function timesAsked(kind: Kind, method: string): Promise<number> {
    const balancer = await startBalancer(kind);
    const { status } = await fetch(`${balancer.url}/ends-it`, { method });
    await balancer.stop();
    expect([502, 503]).toContain(status);
    return asked;
  }

  describe.each<Kind>(['haproxy', 'nginx'])('%s', (kind) => {
    // Or else an overload would be a queue in the balancer, or cost the processes what others need.
    behind(kind)('refuses at once what is more than the processes take, and no sooner', async () => {
      const balancer = await startBalancer(kind);
      const giveUp = new AbortController();
      const most = servers.length * HTTP_MAX_REQUESTS;
      const hold = (requests: number) =>
        Array.from({ length: requests }, () =>
          fetch(`${balancer.url}/never`, { signal: giveUp.signal }).catch(() => undefined),
        );
      const held = hold(most - 1);
      await waitUntil(async () => waiting === most - 1);
      expect((await fetch(`${balancer.url}/`)).status).toBe(401);
      held.push(...hold(1));
      await waitUntil(async () => waiting === most);
      const headers = { origin: 'https://portal.example.com', 'x-request-id': 'asked-for-this' };
      const refused = await fetch(`${balancer.url}/api/contacts`, { headers });
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(await refused.json()).toEqual({
        ok: false,
        error: {
          code: kind === 'haproxy' ? 'overloaded' : 'unavailable',
          message: expect.any(String),
          request_id: 'asked-for-this',
        },
      });
      giveUp.abort();
      await Promise.all(held);
      await waitUntil(async () => (await fetch(`${balancer.url}/`)).status === 401);
      await balancer.stop();
    });
  });

  const CORS = [
    'access-control-allow-origin',
    'access-control-allow-credentials',
    'access-control-expose-headers',
  ];
  const fromOrigin = async (url: string, origin: string) => {
    const { status, headers } = await fetch(url, { headers: { origin } });
    return [status, ...CORS.map((name) => headers.get(name))];
  };

  describe.each<[Kind, string, number]>([
    ['haproxy', '/health/ready', 404],
    ['nginx', '/ends-it', 503],
  ])('what %s answers by itself', (kind, path, status) => {
    behind(kind)(
      'may be read by pages of a portal and by no others; what a process answers is left alone',
      async () => {
        const balancer = await startBalancer(kind);
        const portal = 'https://portal.example.com';
        const allowed = [portal, 'true', 'Retry-After, X-Request-Id'];
        const none = [null, null, null];
        expect(await fromOrigin(`${balancer.url}/api/contacts`, portal)).toEqual([401, ...none]);
        expect(await fromOrigin(balancer.url + path, 'https://evil.example.com')).toEqual([status, ...none]);
        expect(await fromOrigin(balancer.url + path, portal)).toEqual([status, ...allowed]);
        await balancer.stop();
      },
    );
  });

  behind('haproxy')('a body that does not arrive is refused in the words of all other errors', async () => {
    const balancer = await startBalancer('haproxy');
    const head = 'Host: a\r\nX-Request-Id: asked-for-this\r\nContent-Length: 100\r\n';
    const refused = await sendRaw(balancer.url, `POST /api/contacts HTTP/1.1\r\n${head}\r\n{`);
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
      408,
      { ok: false, error: { code: 'request_timeout', request_id: 'asked-for-this' } },
    ]);
    await balancer.stop();
  });

  behind('haproxy').each(['GET', 'POST', 'PATCH', 'DELETE'])(
    'what reached one that ended before its answer is sent to no other by HAProxy: %s',
    async (method) => {
      expect(await timesAsked('haproxy', method)).toBe(1);
    },
  );

  behind('nginx').each([
    ['GET', 3],
    ['POST', 1],
    ['PATCH', 1],
    ['DELETE', 3],
  ])(
    'what reached one that ended before its answer is sent to others by nginx if it is a GET or a DELETE: %s',
    async (method, times) => {
      expect(await timesAsked('nginx', method)).toBe(times);
    },
  );
});
