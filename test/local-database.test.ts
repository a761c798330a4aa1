// The embedded database across the ways a process can end, with real processes.
import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedDatabase } from '../src/local/embedded-database.js';
import { AlreadyRunning, openDatabase, openServiceDatabase } from '../src/local/local-database.js';

const loader = new URL('./support/typescript.mjs', import.meta.url).href;
const program = fileURLToPath(new URL('./support/local-database-process.ts', import.meta.url));

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

/** A data folder with a space in its path; its server is stopped and it is removed after the test. */
async function dataFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'contacts local '));
  const folder = join(parent, 'data folder');
  await mkdir(folder);
  await chmod(parent, 0o755);
  undo.push(async () => {
    await (await startEmbeddedDatabase({ directory: join(folder, 'postgres') })).stop();
    await rm(parent, { recursive: true, force: true });
  });
  return folder;
}

/** Starts local-database-process.ts and waits for its first line. */
async function startProcess(...args: string[]): Promise<{ line: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ['--import', loader, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.push(async () => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { line: line.toString().trim(), child };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

it.each(['DATABASE_DIRECT_URL', 'DATABASE_REPLICA_URL'])(
  'is not used where %s names another one',
  async (name) => {
    const env = { [name]: 'postgres://db.internal/contacts' };
    const sentence = `${name} is set, and DATABASE_URL is not: set both or none.`;
    await expect(openDatabase(env)).rejects.toThrow(sentence);
    await expect(openServiceDatabase(env)).rejects.toThrow(sentence);
  },
);

/** The session of a process, from Linux's own account of it. */
async function sessionOf(pid: number | undefined): Promise<string | undefined> {
  return (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3];
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const serverPid = async (folder: string): Promise<number> =>
  Number.parseInt(await readFile(join(folder, 'postgres/data/postmaster.pid'), 'utf8'), 10);

const portOf = (url: string): number => Number(new URL(url).port);

describe('the embedded PostgreSQL', () => {
  it('is made on first use, on loopback only, with Unicode rules and a private password', async () => {
    const folder = await dataFolder();
    const { url } = await startEmbeddedDatabase({ directory: join(folder, 'postgres') });
    const [row] = await query(
      url,
      `SELECT lower('ÉŞЖ') AS lower, current_setting('server_version_num')::int / 10000 AS major,
         current_setting('listen_addresses') AS listens, current_setting('server_encoding') AS encoding`,
    );
    expect(row).toEqual({ lower: 'éşж', major: 18, listens: '127.0.0.1', encoding: 'UTF8' });
    await query(url, 'CREATE EXTENSION pg_trgm');
    expect(await query(url, `SELECT similarity('Жук', 'ЖУК') AS similarity`)).toEqual([{ similarity: 1 }]);
    expect((await stat(join(folder, 'postgres/password'))).mode & 0o777).toBe(0o600);
    const guess = Object.assign(new URL(url), { password: 'guess' }).href;
    await expect(query(guess, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  it('keeps its port and its data, and takes another port when that one is busy', async () => {
    const directory = join(await dataFolder(), 'postgres');
    const first = await startEmbeddedDatabase({ directory });
    await query(first.url, 'CREATE TABLE kept ()');
    await first.stop();
    await first.stop();

    const second = await startEmbeddedDatabase({ directory });
    expect(second.url).toBe(first.url);
    await second.stop();

    const squatter = createServer().listen(portOf(first.url), '127.0.0.1');
    await once(squatter, 'listening');
    const third = await startEmbeddedDatabase({ directory });
    squatter.close();
    expect(portOf(third.url)).not.toBe(portOf(first.url));
    await query(third.url, 'SELECT FROM kept');
  });

  it('starts after a crash whose process number now belongs to another process', async () => {
    const folder = await dataFolder();
    const server = await startEmbeddedDatabase({ directory: join(folder, 'postgres') });
    const pidFile = join(folder, 'postgres/data/postmaster.pid');
    const left = await readFile(pidFile, 'utf8');
    await server.stop();
    await writeFile(pidFile, left.replace(/^\d+/, String(process.pid)));
    const again = await startEmbeddedDatabase({ directory: join(folder, 'postgres') });
    expect(await query(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is made once by processes that start together, whatever a dead one left half-made', async () => {
    const folder = await dataFolder();
    const abandoned = join(folder, 'postgres.new-999999999-0');
    await mkdir(join(abandoned, 'data'), { recursive: true });
    const directory = join(folder, 'postgres');
    const [one, two] = await Promise.all([
      startEmbeddedDatabase({ directory }),
      startEmbeddedDatabase({ directory }),
    ]);
    expect(one.url).toBe(two.url);
    await expect(stat(abandoned)).rejects.toThrow('ENOENT');
  });
});

describe('the database of this folder', () => {
  it('is DATABASE_URL where one is set', async () => {
    const url = 'postgresql://someone@db.internal/contacts';
    expect(await openDatabase({ DATABASE_URL: url })).toMatchObject({ url, embedded: false });
    expect(await openServiceDatabase({ DATABASE_URL: url })).toMatchObject({ url, embedded: false });
  });

  it('outlives a service that is killed, and the next one adopts it', async () => {
    const folder = await dataFolder();
    const { line: url, child } = await startProcess('service', folder);
    const pid = await serverPid(folder);
    await end(child, 'SIGKILL');
    const service = await openServiceDatabase({}, folder);
    expect(service.url).toBe(url);
    expect(await serverPid(folder)).toBe(pid);
    await service.close();
    await expect(serverPid(folder)).rejects.toThrow('ENOENT');
  });

  it('serves a service that is still draining after Ctrl-C, then stops with its data intact', async () => {
    const folder = await dataFolder();
    const { child } = await startProcess('service', folder);
    const pid = await serverPid(folder);
    // A terminal sends Ctrl-C to a whole session's foreground group: the server is in neither.
    const apart = process.platform !== 'linux' || (await sessionOf(pid)) !== (await sessionOf(child.pid));
    expect(apart).toBe(true);
    await end(child, 'SIGINT');
    await expect(serverPid(folder)).rejects.toThrow('ENOENT');
    const database = await openDatabase({}, folder);
    expect(await query(database.url, 'SELECT text FROM note')).toEqual([{ text: 'while draining' }]);
    await database.close();
  });

  it('refuses a second service, naming the first', async () => {
    const folder = await dataFolder();
    const { child } = await startProcess('service', folder, 'http://127.0.0.1:3000');
    const second = openServiceDatabase({}, folder);
    await expect(second).rejects.toBeInstanceOf(AlreadyRunning);
    await expect(second).rejects.toThrow(`(process ${child.pid}, http://127.0.0.1:3000). Stop it first`);
    const { line } = await startProcess('service', folder);
    expect(line).toMatch(/^AlreadyRunning The service already runs from this folder/);
    await end(child, 'SIGINT');
    await (await openServiceDatabase({}, folder)).close();
  });

  it('is stopped by its last user, not under another one', async () => {
    const folder = await dataFolder();
    const command = await openDatabase({}, folder);
    const service = await openServiceDatabase({}, folder);
    await command.close();
    expect(await query(service.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const late = await openDatabase({}, folder);
    await service.close();
    expect(await query(late.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    // One that arrives while the last one stops the server starts it again.
    const [, next] = await Promise.all([late.close(), openDatabase({}, folder)]);
    expect(await query(next.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await next.close();
    await expect(serverPid(folder)).rejects.toThrow('ENOENT');
  });
});
