// What the balancers' configuration says and does beside what test/chaos proves of it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';
import { Balancer, type Kind } from './chaos/balancer.js';
import { findProgram } from './support/find-program.js';

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

test('HAProxy gives a process no more at once than it accepts', () => {
  const [, most] = /default-server .*\bmaxconn (\d+)/.exec(haproxy) ?? [];
  expect(Number(most)).toBeLessThanOrEqual(loadEnv({}).HTTP_MAX_REQUESTS);
});

test('balancers wait longer for a process than it waits for the database', () => {
  const { DATABASE_TIMEOUT_MS } = loadEnv({});
  for (const value of [...settings(haproxy, 'timeout server'), ...settings(nginx, 'proxy_read_timeout')])
    expect(Number.parseInt(value, 10) * 1_000).toBeGreaterThan(DATABASE_TIMEOUT_MS);
});

describe('a request that reached a process which ended before its answer', () => {
  /** Three processes. */
  let servers: Server[];
  /** How often they were asked for what ends them. */
  let asked: number;
  beforeEach(async () => {
    asked = 0;
    servers = [1, 2, 3].map(() =>
      createServer((request, response) => {
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

  /** Where a balancer is not installed there is nothing to ask. */
  const behind = (kind: Kind): typeof test.skip => (findProgram(kind) ? test : test.skip);

  async function timesAsked(kind: Kind, method: string): Promise<number> {
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    const balancer = await Balancer.before(kind, findProgram(kind) ?? '', ports);
    const { status } = await fetch(`${balancer.url}/ends-it`, { method });
    await balancer.stop();
    expect([502, 503]).toContain(status);
    return asked;
  }

  behind('haproxy').each(['GET', 'POST', 'PATCH', 'DELETE'])(
    'is sent to no other by HAProxy: %s',
    async (method) => {
      expect(await timesAsked('haproxy', method)).toBe(1);
    },
  );

  behind('nginx').each([
    ['GET', 3],
    ['POST', 1],
    ['PATCH', 1],
    ['DELETE', 3],
  ])('is sent to others by nginx if it is a GET or a DELETE: %s', async (method, times) => {
    expect(await timesAsked('nginx', method)).toBe(times);
  });
});
