// What the balancers' configuration says beside what test/chaos proves of them: those are not installed everywhere.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';

const read = (name: string): string => readFileSync(new URL(`../deploy/${name}`, import.meta.url), 'utf8');
const haproxy = read('haproxy.cfg');
const nginx = read('nginx.conf');

/** What a directive is set to, each time it is. */
const settings = (text: string, directive: string): string[] =>
  [...text.matchAll(new RegExp(`^[ \\t]*${directive}[ \\t]+([^;\\n]*)`, 'gm'))].map(([, value = '']) =>
    value.trim(),
  );

test('a request that reached a process is sent to no other, unless it only reads', () => {
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
