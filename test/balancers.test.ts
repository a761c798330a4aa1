// What the balancers' configuration says and does beside what test/chaos proves of it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';
import { Balancer, type Kind } from './chaos/balancer.js';
import { findProgram } from './support/find-program.js';
import { waitUntil } from './support/wait.js';

const read = (name: string): string => readFileSync(new URL(`../deploy/${name}`, import.meta.url), 'utf8');
const haproxy = read('haproxy.cfg');
const nginx = read('nginx.conf');

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
  const { DATABASE_TIMEOUT_MS } = loadEnv({});
  for (const value of [...settings(haproxy, 'timeout server'), ...settings(nginx, 'proxy_read_timeout')])
    expect(Number.parseInt(value, 10) * 1_000).toBeGreaterThan(DATABASE_TIMEOUT_MS);
});

describe('before three processes', () => {
  let servers: Server[];
  /** How often they were asked for what ends them. */
  let asked: number;
  beforeEach(async () => {
    asked = 0;
    servers = [1, 2, 3].map(() =>
      createServer((request, response) => {
        if (request.url === '/never') return undefined;
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
    // Or else an overload would be a queue in the balancer, and the refusal come after it.
    behind(kind)(
      'holds no request back, however many are under way: refusing is for the process',
      async () => {
        const balancer = await startBalancer(kind);
        const giveUp = new AbortController();
        const most = servers.length * loadEnv({}).HTTP_MAX_REQUESTS;
        const held = Array.from({ length: most + 1 }, () =>
          fetch(`${balancer.url}/never`, { signal: giveUp.signal }).catch(() => undefined),
        );
        await waitUntil(async () => (await connectionsOf(servers)) >= held.length);
        expect((await fetch(`${balancer.url}/`)).status).toBe(401);
        giveUp.abort();
        await Promise.all(held);
        await balancer.stop();
      },
    );
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

async function connectionsOf(servers: readonly Server[]): Promise<number> {
  const counts = servers.map((server) => promisify(server.getConnections.bind(server))());
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
