// The service as a process: what a start needs, prints and refuses.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { allowedOrigins, loadEnv } from '../src/config/env.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { printed, runEntry, startEntry } from './support/process.js';
import { waitUntil } from './support/wait.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

const BANNER = /Contacts is running at (\S+)[\s\S]*Try it:[\s\S]*curl .*\n/;

function start(settings: Record<string, string | undefined>) {
  const child = startEntry('main', [], { PORT: '0', LOG_LEVEL: 'info', ...settings });
  undo.push(() => child.kill('SIGKILL'));
  return child;
}

test('serves a real server, without sample data or a new key, and drains on SIGTERM', async () => {
  const child = start({ DATABASE_URL: database.url });
  const output = await printed(child, BANNER);
  expect(output).not.toContain('smk_');
  const [, url = ''] = BANNER.exec(output) ?? [];
  expect(await (await fetch(`${url}/health/ready`)).json()).toEqual({ ok: true, data: { status: 'ready' } });
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('prints links that lead somewhere, however PUBLIC_URL ends', async () => {
  const child = start({ DATABASE_URL: database.url, PUBLIC_URL: 'http://contacts.localhost/' });
  expect(await printed(child, BANNER)).not.toMatch(/localhost\/\//);
});

test('its own address is a URL where it is one of IPv6', () => {
  const env = loadEnv({ NODE_ENV: 'test', HOST: '::1', PORT: '3000' });
  expect(allowedOrigins(env)).toEqual(['http://[::1]:3000']);
});

// How long the queue of connections may be, and whether a stopped process is let in, is the system's affair.
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('a crowd that comes while the process is busy is let in, and need not knock again', async () => {
  const CROWD = 1_000;
  const child = start({ DATABASE_URL: database.url });
  const [, url = ''] = BANNER.exec(await printed(child, BANNER)) ?? [];
  child.kill('SIGSTOP');
  let connected = 0;
  const sockets = Array.from({ length: CROWD }, () =>
    connect(Number(new URL(url).port), '127.0.0.1', () => (connected += 1)).on('error', () => {}),
  );
  undo.push(() => sockets.forEach((socket) => socket.destroy()));
  await waitUntil(async () => connected === CROWD);
});

describe('on a database that the next release has brought up', () => {
  const NEXT = '9999999999999-add-more';
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      `INSERT INTO migration VALUES ('9999999999998-add', now(), 1, 'x'), ($1, now(), 1, 'x')`,
      [NEXT],
    );
  });
  afterAll(async () => {
    await client.query(`DELETE FROM migration WHERE name LIKE '999%'`);
    await client.end();
  });

  test('starts, is ready, and says once which migration it does not know', async () => {
    const output = await printed(start({ DATABASE_URL: database.url }), BANNER);
    const [, url = ''] = BANNER.exec(output) ?? [];
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const warnings = output.split('\n').filter((line) => line.includes('"level":40'));
    expect(warnings.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      expect.stringContaining(`does not know 2 migrations (the newest is ${NEXT})`),
    ]);
  });

  test('a command does its work, and says so on standard error', async () => {
    const { code, stdout, stderr } = await runEntry('cli', ['keys', 'list'], { DATABASE_URL: database.url });
    expect([code, stdout]).toEqual([0, 'There are no keys.\n']);
    expect(stderr).toMatch(/^The database is newer than this release, .*\n$/);
  });

  test('refuses to start when a migration that it knows was changed meanwhile', async () => {
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM migration ORDER BY name LIMIT 1',
    );
    const [first = { name: '', checksum: '' }] = rows;
    const set = 'UPDATE migration SET checksum = $1 WHERE name = $2';
    await client.query(set, ['other', first.name]);
    const { code, stderr } = await runEntry('main', [], { DATABASE_URL: database.url, PORT: '0' });
    await client.query(set, [first.checksum, first.name]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`Changed after it was applied: ${first.name}.`),
    ]);
  });
});

describe('refuses to start', () => {
  test('on a database without migrations, and names the command', async () => {
    const bare = Object.assign(new URL(database.url), { pathname: '/postgres' }).href;
    const { code, stderr } = await runEntry('main', [], { DATABASE_URL: bare, PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toContain('npx nest start migrate -- up');
  });

  test.each([
    ['without a database', { DATABASE_URL: '' }, 'DATABASE_URL: required in production'],
    [
      'with a placeholder',
      { DATABASE_URL: 'postgres://contacts:change-me@127.0.0.1:5432/contacts' },
      'DATABASE_URL: still a placeholder',
    ],
    [
      'with a placeholder in a list',
      { PORTAL_ORIGINS: 'https://portal.acme.com,https://portal.example.com' },
      'PORTAL_ORIGINS: still a placeholder',
    ],
    ['on a malformed setting', { DATABASE_URL: 'mysql://h/d', PORT: 'http' }, 'DATABASE_URL: '],
  ])('in production %s', async (_case, settings, message) => {
    const { code, stdout, stderr } = await runEntry('main', [], { NODE_ENV: 'production', ...settings });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('on a taken port, and says how to choose another', async () => {
    const first = start({ DATABASE_URL: database.url });
    const [, url = ''] = BANNER.exec(await printed(first, BANNER)) ?? [];
    const { port } = new URL(url);
    const { code, stderr } = await runEntry('main', [], { DATABASE_URL: database.url, PORT: port });
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port} is taken`);
  });
});
