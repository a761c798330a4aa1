// A start meets a database that is not there: it waits for one that is coming up, and says what is wrong with others.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { type Finished, runEntry } from './support/process.js';
import { RunningService } from './support/running-service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { StartingServer } from './support/starting-server.js';
import { waitUntil } from './support/wait.js';

const PASSWORD = 'hunter2-is-secret';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

/** The test database's URL with other parts. */
function changed(
  parts: Partial<Pick<URL, 'hostname' | 'port' | 'username' | 'password' | 'pathname'>>,
): string {
  return Object.assign(new URL(database.url), parts).href;
}

describe('waits', () => {
  test.each([
    ['57P03', 'the database system is starting up'],
    ['53300', 'sorry, too many clients already'],
    ['08P01', 'server login has been failing'],
  ])('while it is told %s: %s, with a line per try', async (code, message) => {
    const server = await StartingServer.before(database.url, code, message);
    undo.push(() => server.close());
    const service = RunningService.begin({ DATABASE_URL: server.url });
    undo.push(() => service.kill());
    await waitUntil(async () => server.refused >= 2);
    server.ready();
    await service.listens();
    const tries = service.messages.filter((line) => line.includes('Trying again'));
    expect(tries).toHaveLength(server.refused);
    const { host } = new URL(server.url);
    expect(tries[0]).toMatch(/ Trying again in 0\.25 s, for \d+ s more\.$/);
    expect(tries[0]).toContain(`No database is to be had at ${host}: ${message}.`);
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  });

  test('while it lets in and then does not answer, as a pooler may whose server is away', async () => {
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    undo.push(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE migration');
    const service = RunningService.begin({ DATABASE_URL: database.url });
    undo.push(() => service.kill());
    await waitUntil(async () => service.messages.some((line) => line.includes('it does not answer. Trying')));
    await holder.query('ROLLBACK');
    await service.listens();
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  });

  test('while nobody listens, and so do the migrations', async () => {
    const server = await StartingServer.before(database.url, '', '');
    server.ready();
    const { url } = server;
    server.close();
    const { code, stdout, stderr } = await runEntry('migrate', ['status', '--json'], {
      DATABASE_URL: url,
      DATABASE_START_TIMEOUT_MS: '5000',
    });
    expect([code, stdout]).toEqual([1, '']);
    const { host } = new URL(url);
    const lines = stderr.trim().split('\n');
    expect(lines[0]).toMatch(/: nothing listens there\. Trying again in 0\.25 s, for [0-5] s more\.$/);
    expect(lines.at(-1)).toBe(
      `No database is to be had at ${host}: nothing listens there. Waited 5 s for it. Check DATABASE_URL, and that the database runs.`,
    );
    expect(lines.length).toBeGreaterThanOrEqual(3);
  });

  test('for the direct address, too', async () => {
    const { code, stderr } = await runEntry('main', [], {
      PORT: '0',
      DATABASE_URL: database.url,
      DATABASE_DIRECT_URL: changed({ port: '1' }),
      DATABASE_START_TIMEOUT_MS: '0',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /:1: nothing listens there\. Check DATABASE_DIRECT_URL, and that the database runs\.\n$/,
    );
  });
});

describe('says in one sentence', () => {
  /** Runs it with an address that could be waited for, and expects no stack, no password and nothing but the end. */
  async function refusalAt(url: string, timeout = '60000'): Promise<string> {
    const settings = { DATABASE_URL: url, DATABASE_START_TIMEOUT_MS: timeout, PORT: '0' };
    const { code, stdout, stderr }: Finished = await runEntry('main', [], settings);
    expect(code).toBe(1);
    expect(stdout + stderr).not.toContain(PASSWORD);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    return stderr.trim();
  }

  test('that the password is wrong, at once', async () => {
    const { host, username } = new URL(database.url);
    expect(await refusalAt(changed({ password: PASSWORD }))).toBe(
      `PostgreSQL at ${host} refuses the password of the user "${username}". Check DATABASE_URL.`,
    );
  });

  test('that there is no such database, at once', async () => {
    const { host } = new URL(database.url);
    expect(await refusalAt(changed({ pathname: '/no%20such' }))).toBe(
      `PostgreSQL at ${host} has no database "no such". Check DATABASE_URL.`,
    );
  });

  test('that the user may not, at once', async () => {
    const role = `contacts_test_${process.pid}`;
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    undo.push(async () => {
      await client.query(`DROP ROLE ${role}`);
      await client.end();
    });
    await client.query(`CREATE ROLE ${role} NOLOGIN PASSWORD '${PASSWORD}'`);
    const { host, pathname } = new URL(database.url);
    expect(await refusalAt(changed({ username: role, password: PASSWORD }))).toBe(
      `PostgreSQL at ${host} does not let "${role}" into "${pathname.slice(1)}": ` +
        `role "${role}" is not permitted to log in. Check DATABASE_URL.`,
    );
  });

  test.each([
    ['that nothing listens', { port: '1' }, /^No database is to be had at \S+:1: nothing listens there\. Check DATABASE_URL, /],
    ['that the host is unknown', { hostname: 'nowhere.invalid' }, /^No database is to be had at nowhere\.invalid:\d+: (there is no host of that name|the name cannot be looked up)\. Check /],
  ])('%s', async (_what, parts, sentence) => {
    expect(await refusalAt(changed({ ...parts, password: PASSWORD }), '0')).toMatch(sentence);
  }); // prettier-ignore

  test('that nobody answers', async () => {
    const proxy = await SilentProxy.to(database.url);
    undo.push(() => proxy.close());
    proxy.fallSilent();
    expect(await refusalAt(proxy.through(database.url), '0')).toMatch(
      /: it does not answer\. Check DATABASE_URL, /,
    );
  });
});
