// The command line, as operators and their scripts use it.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Finished, runEntry } from './support/process.js';
import { TestService } from './support/service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { waitUntil } from './support/wait.js';

const KEY = /^smk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}\n$/;

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const cli = (...args: string[]): Promise<Finished> =>
  runEntry('cli', args, { DATABASE_URL: service.databaseUrl });
const idOf = (key: string): string => key.slice(4, 16);
const statusWith = async (key: string): Promise<number> =>
  (await service.as({ 'x-sm-key': key.trim() }).get('/api/contacts')).status;

async function create(...options: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(
    'keys',
    'create',
    '--name',
    'backend',
    '--scopes',
    'contacts:read',
    ...options,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('keys create prints the key and nothing else, and the key works', async () => {
  const key = await create();
  expect(key).toMatch(KEY);
  expect(await statusWith(key)).toBe(200);
});

test('keys rotate prints the new key; the old one lives for the overlap', async () => {
  const old = await create();
  const { code, stdout } = await cli('keys', 'rotate', idOf(old), '--overlap-seconds', '60');
  expect(code).toBe(0);
  expect(stdout).toMatch(KEY);
  expect(await statusWith(stdout)).toBe(200);
  expect(await statusWith(old)).toBe(200);
});

test('keys create and keys limit say how often a key may be used', async () => {
  const key = await create('--rate-limit', '7');
  const policy = async (): Promise<string | undefined> => {
    const { headers } = await service.as({ 'x-sm-key': key.trim() }).get('/api/contacts');
    return headers['ratelimit-policy'];
  };
  expect(await policy()).toBe('"key";q=7;w=60');
  const limit = async (...options: string[]): Promise<string> =>
    (await cli('keys', 'limit', idOf(key), ...options)).stdout;
  expect(await limit('--rate-limit', '600')).toBe(`Requests of ${idOf(key)} a minute: 600.\n`);
  await waitUntil(async () => (await policy()) === '"key";q=600;w=60');
  expect(await limit('--rate-limit', '0')).toBe(`Requests of ${idOf(key)} a minute: any number.\n`);
  await waitUntil(async () => (await policy()) === undefined);
  expect(await limit()).toBe(`Requests of ${idOf(key)} a minute: the default.\n`);
  await waitUntil(async () => (await policy()) === '"key";q=60000;w=60');
});

test('keys revoke ends a key', async () => {
  const key = await create();
  const { code, stdout } = await cli('keys', 'revoke', idOf(key));
  expect({ code, stdout }).toEqual({ code: 0, stdout: `Revoked ${idOf(key)}.\n` });
  expect(await statusWith(key)).toBe(401);
});

test('keys list tells which keys have ended, and how', async () => {
  const revoked = await create();
  await cli('keys', 'revoke', idOf(revoked));
  const expired = await create('--expires-at', '2020-01-01T00:00:00Z');
  const { stdout } = await cli('keys', 'list');
  const stateOf = (key: string) => new RegExp(`^${idOf(key)}  (\\w+)`, 'm').exec(stdout)?.[1];
  expect([stateOf(revoked), stateOf(expired)]).toEqual(['revoked', 'expired']);
});

test('keys list shows every key and no secret', async () => {
  const key = await create(
    '--expires-at',
    '2999-01-01T00:00:00Z',
    '--allowed-cidrs',
    '10.0.0.0/8,192.168.0.0/16',
  );
  const table = await cli('keys', 'list');
  expect(table.stdout).toContain(`${idOf(key)}  live  never used  contacts:read  backend\n`);
  const { stdout } = await cli('keys', 'list', '--json');
  expect(JSON.parse(stdout)).toContainEqual(
    expect.objectContaining({
      id: idOf(key),
      expires_at: '2999-01-01T00:00:00.000Z',
      allowed_cidrs: ['10.0.0.0/8', '192.168.0.0/16'],
    }),
  );
  expect(stdout + table.stdout).not.toContain(key.slice(17, 60));
});

describe('says what is wrong on stderr and by its exit code', () => {
  test.each([
    [['keys', 'create', '--scopes', 'contacts:read'], 1, '--name: name is required.'],
    [
      ['keys', 'create', '--name', 'x', '--scopes', 'contacts:reed'],
      1,
      '--scopes: scopes must be a list of contacts:read',
    ],
    [
      ['keys', 'create', '--name', 'x', '--scopes', 'contacts:read', '--expires-at', 'soon'],
      1,
      '--expires-at: ',
    ],
    [['keys', 'create', '--nam', 'x'], 2, "Unknown option '--nam'"],
    [['keys', 'rotate', 'k', '--overlap-seconds', 'long'], 1, '--overlap-seconds: '],
    [['keys', 'limit', 'k', '--rate-limit', ''], 1, '--rate-limit: '],
    [['keys', 'limit', 'nosuchkey000'], 1, 'There is no living API key "nosuchkey000".'],
    [['keys', 'rotate'], 2, 'takes the id of one key'],
    [['keys', 'revoke', 'nosuchkey000'], 1, 'There is no living API key "nosuchkey000".'],
    [['keys', 'list', '--name', 'x'], 2, 'keys list has no option --name'],
    [['kys', 'list'], 2, 'There is no command "kys list".'],
    [['keys', 'constructor'], 2, 'There is no command "keys constructor".'],
    [['constructor', 'name'], 2, 'There is no command "constructor name".'],
  ])('%j', async (args, code, message) => {
    const finished = await cli(...args);
    expect(finished).toEqual({ code, stdout: '', stderr: expect.stringContaining(message) });
  });
});

test('refuses a database without the schema, and says which command mends it', async () => {
  const empty = Object.assign(new URL(service.databaseUrl), { pathname: '/postgres' }).href;
  const { code, stdout, stderr } = await runEntry('cli', ['keys', 'list'], { DATABASE_URL: empty });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('npx nest start migrate -- up');
});

test('says so when the database goes away meanwhile, and prints nothing else', async () => {
  const proxy = await SilentProxy.to(service.databaseUrl);
  const holder = new pg.Client({ connectionString: service.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE api_key');
  const args = ['keys', 'create', '--name', 'backend', '--scopes', 'contacts:read'];
  const finished = runEntry('cli', args, { DATABASE_URL: proxy.through(service.databaseUrl) });
  await waitUntil(async () => {
    const waiting = await service.sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return waiting.length === 1;
  });
  proxy.goDown();
  expect(await finished).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^No connection to the database: connect ECONNREFUSED \S+\n$/),
  });
  await holder.end();
});
