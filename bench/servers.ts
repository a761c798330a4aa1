// The three servers as child processes on one database: started, waited for, and stopped.
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, runBuilt } from './built.ts';
import { startChild } from './children.ts';
import { PRODUCTS } from './data/rows.ts';
import type { Request } from './operations.ts';
import { PORTAL_SETTINGS } from './portal-users.ts';

export const SERVER_NAMES = ['service', 'fastify-pg', 'nest-typeorm'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export interface Server {
  readonly name: ServerName;
  /** Without a slash at the end. */
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly pid: number;
  /** Ends it, at once if it does not end by itself. */
  readonly stop: () => Promise<void>;
}

/** A request the way this server is asked it. */
export interface Asked extends Omit<Request, 'ofService'> {
  readonly headers: Record<string, string>;
}

export function askedOf(server: Server, { ofService, ...request }: Request): Asked {
  const { path, headers } =
    server.name === 'service' && ofService ? ofService : { path: request.path, headers: server.headers };
  const json: Record<string, string> =
    request.body === undefined ? {} : { 'content-type': 'application/json' };
  return { ...request, path, headers: { ...headers, ...json } };
}

/** What the service sets for its connections, and whoever runs any server may set for its role: no baseline goes without. */
export const PGOPTIONS = '-c jit=off -c work_mem=16MB';

/** Everybody waits as long as it takes, as with the baselines, which know no such limits. */
export const PATIENT: NodeJS.ProcessEnv = { DATABASE_POOL_WAIT_MS: '60000', DATABASE_TIMEOUT_MS: '60000' };

const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 15_000;

/** Those of node in the image. */
const [, NODE_OPTIONS = ''] =
  /^ENV NODE_OPTIONS="(.*)"$/m.exec(readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8')) ?? [];

const PROGRAMS: Record<ServerName, string[]> = {
  service: [...NODE_OPTIONS.split(' '), 'dist/main.js'],
  'fastify-pg': ['--no-warnings', 'bench/baselines/fastify-pg/main.ts'],
  // Decorators are more than Node strips: they are compiled when they are loaded, and cost nothing afterwards.
  'nest-typeorm': [
    '--no-warnings',
    '--import',
    './test/support/typescript.mjs',
    'bench/baselines/nest-typeorm/main.ts',
  ],
};

/** Makes an API key for the service, in the bench's own database. */
export async function createKey(databaseUrl: string): Promise<string> {
  const scopes = 'contacts:read,contacts:write';
  const settings = { NODE_ENV: 'development', DATABASE_URL: databaseUrl, DATABASE_DIRECT_URL: '' };
  return (await runBuilt('cli', ['keys', 'create', '--name', 'bench', '--scopes', scopes], settings)).trim();
}

/**
 * Starts a server the way it runs in production, with its log going nowhere.
 * @param limits settings of the service, where they are not to be those it has by itself.
 * @throws Error with what it wrote to standard error when it ends before it answers.
 */
export async function startServer(
  name: ServerName,
  databaseUrl: string,
  key: string,
  limits: NodeJS.ProcessEnv = {},
): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const settings: NodeJS.ProcessEnv = {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    DATABASE_DIRECT_URL: '',
    PGOPTIONS,
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: url,
    LOG_LEVEL: 'info',
    // Counted as for anybody, and never reached.
    RATE_LIMIT_KEY: '10000000',
    ...PORTAL_SETTINGS,
    PORTAL_SECRET: randomBytes(32).toString('hex'),
    PORTAL_PRODUCTS: PRODUCTS.join(','),
    ...limits,
  };
  const child = startChild(process.execPath, PROGRAMS[name], {
    cwd: ROOT,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)));
  const headers: Record<string, string> = name === 'service' ? { 'x-sm-key': key } : {};
  const server = { name, url, headers, pid: child.pid ?? 0, stop: () => stop(child) };
  try {
    await ready(server, child);
    return server;
  } catch (error) {
    await stop(child);
    throw new Error(`${name} ${(error as Error).message}\n${errors}`, { cause: error });
  }
}

async function ready({ url, headers }: Server, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`ended with code ${child.exitCode}:`);
    // A contact that is not there is the cheapest question that reaches the database.
    const answer = await fetch(`${url}/api/contacts/ct_0`, { headers }).catch(() => null);
    if (answer?.status === 404) return;
    if (answer && answer.status < 500) throw new Error(`answers ${answer.status}: ${await answer.text()}`);
  }
  throw new Error('does not answer.');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
  await ended;
  clearTimeout(patience);
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
