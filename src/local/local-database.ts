// The database of the command-line entry points: DATABASE_URL, or else the embedded PostgreSQL under `.data/`.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Env } from '../config/env.js';
import { isUnavailable, startEmbeddedDatabase } from './embedded-database.js';

export interface LocalDatabase {
  url: string;
  /** False when DATABASE_URL names the database. */
  embedded: boolean;
  /**
   * Lets go of the database, after the caller's own connections are closed. The last process of this folder to
   * do so stops the embedded server; a DATABASE_URL is left alone.
   */
  close: () => Promise<void>;
}

export interface ServiceDatabase extends LocalDatabase {
  /** Tells a second service started from this folder where the first one is: `baseUrl` is shown to its user. */
  announce: (baseUrl: string) => Promise<void>;
}

/** The service already runs on the embedded database of this folder. */
export class AlreadyRunning extends Error {
  override name = 'AlreadyRunning';
}

type DatabaseEnv = Pick<Env, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'DATABASE_REPLICA_URL'>;

const DATABASE = 'contacts';
/** Advisory locks: held shared by every process that uses the embedded server, and by the one service. */
const IN_USE = 7_301_001;
const SERVICE = 7_301_002;
const OPEN_WITHIN_MS = 60_000;
/** How long the server may take to notice that the process that held a lock has died. */
const LOCK_GRACE_MS = 500;

/** `.data` of the package, wherever the process was started; the same from src/ and dist/. */
const DATA_FOLDER = fileURLToPath(new URL('../../.data', import.meta.url));

/**
 * The database for a command that may run beside the service.
 * @throws Error when the embedded PostgreSQL is not installed or does not start, or when only a part of another
 * database is named.
 */
export async function openDatabase(env: DatabaseEnv, folder = DATA_FOLDER): Promise<LocalDatabase> {
  if (env.DATABASE_URL) return { url: env.DATABASE_URL, embedded: false, close: async () => {} };
  refuseHalves(env);
  const { url, close } = await openEmbedded(folder);
  return { url, embedded: true, close };
}

/**
 * The database for the service itself. On the embedded one only a single service may run.
 * @throws AlreadyRunning when another process runs the service from this folder.
 */
export async function openServiceDatabase(env: DatabaseEnv, folder = DATA_FOLDER): Promise<ServiceDatabase> {
  if (env.DATABASE_URL) return { ...(await openDatabase(env)), announce: async () => {} };
  refuseHalves(env);
  const { url, close, session } = await openEmbedded(folder);
  const announcement = join(folder, 'service.json');
  if (!(await tryLockFor(LOCK_GRACE_MS, session, SERVICE))) {
    const message = await describeRunning(announcement);
    await close();
    throw new AlreadyRunning(message);
  }
  await rm(announcement, { force: true });
  return {
    url,
    embedded: true,
    announce: (baseUrl) => writeFile(announcement, JSON.stringify({ pid: process.pid, url: baseUrl })),
    close: async () => {
      await rm(announcement, { force: true });
      await close();
    },
  };
}

/** A process would work on the embedded database and the other one at once. */
function refuseHalves(env: DatabaseEnv): void {
  for (const name of ['DATABASE_DIRECT_URL', 'DATABASE_REPLICA_URL'] as const)
    if (env[name]) throw new Error(`${name} is set, and DATABASE_URL is not: set both or none.`);
}

interface OpenServer {
  url: string;
  /** The connection that holds this process's locks, open until `close()`. */
  session: pg.Client;
  close: () => Promise<void>;
}

async function openEmbedded(folder: string): Promise<OpenServer> {
  await mkdir(folder, { recursive: true });
  for (const deadline = Date.now() + OPEN_WITHIN_MS; ; await sleep(100)) {
    const server = await startEmbeddedDatabase({ directory: join(folder, 'postgres') });
    try {
      await createDatabase(server.url);
      const url = withDatabase(server.url, DATABASE);
      const session = await connect(url);
      await session.query('SELECT pg_advisory_lock_shared($1)', [IN_USE]);
      return { url, session, close: () => closeEmbedded(session, server.stop) };
    } catch (error) {
      // Its last user may just have stopped the server.
      if (!isUnavailable(error) || Date.now() > deadline) throw error;
    }
  }
}

async function closeEmbedded(session: pg.Client, stop: () => Promise<void>): Promise<void> {
  try {
    await session.query('SELECT pg_advisory_unlock_shared($1)', [IN_USE]);
    // With the exclusive lock in hand nobody can begin to use the server that is about to stop.
    if (await tryLock(session, IN_USE)) await stop();
  } catch (error) {
    if (!isUnavailable(error)) throw error;
  } finally {
    await session.end().catch(() => {});
  }
}

async function createDatabase(serverUrl: string): Promise<void> {
  const client = await connect(serverUrl);
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } catch (error) {
    // Somebody else was faster: a duplicate name, seen by us or by the index on names.
    if (!['42P04', '23505'].includes(codeOf(error))) throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {}); // the next query reports a lost connection
  await client.connect();
  return client;
}

async function tryLockFor(patienceMs: number, session: pg.Client, key: number): Promise<boolean> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await sleep(50)) {
    if (await tryLock(session, key)) return true;
  }
  return false;
}

async function tryLock(session: pg.Client, key: number): Promise<boolean> {
  const { rows } = await session.query<{ held: boolean }>(`SELECT pg_try_advisory_lock($1) AS held`, [key]);
  return rows[0]?.held === true;
}

async function describeRunning(announcement: string): Promise<string> {
  let where = '';
  try {
    const { pid, url } = JSON.parse(await readFile(announcement, 'utf8')) as { pid: number; url: string };
    where = ` (process ${pid}, ${url})`;
  } catch {
    // It is still starting.
  }
  return `The service already runs from this folder${where}. Stop it first, or set DATABASE_URL to run on another database.`;
}

function withDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? '';
}
