// The service: opens its database, listens, and drains when asked to stop.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.setup.js';
import { logLastWords } from './common/last-words.js';
import { DEMO_PATH, type Env, loadEnv, publicUrlOf } from './config/env.js';
import { startLogger } from './config/logger.js';
import { Doors } from './doors.js';
import { drainOnSignal, holdSignals, onSignal } from './drain.js';
import { installQueues } from './mail/install-queues.js';
import { awaitDatabase } from './database/await-database.js';
import { Migrator } from './database/migrator.js';
import { requireSchema } from './database/require-schema.js';
import { banner } from './local/banner.js';
import { findSampleVisitor, prepareFirstStart } from './local/first-start.js';
import { openServiceDatabase } from './local/local-database.js';

/** What the tests run on, and npm brings along: older ones lack things that are needed only in trouble. */
const NODE = 24;
if (Number.parseInt(process.versions.node, 10) < NODE) {
  process.stderr.write(
    `This is Node ${process.versions.node}, and the service runs on Node ${NODE}, which npm has installed: npm start.\n`,
  );
  process.exit(1);
}

logLastWords();
// Nobody may be there to read what is printed, or its disk be full: that ends no service.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
// Nothing is under way yet. (As process 1 of a container, no signal would end it without a word.)
onSignal(() => process.exit(0));
try {
  await start(loadEnv());
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

async function start(given: Env): Promise<void> {
  const database = await openServiceDatabase(given);
  let app: NestFastifyApplication | undefined;
  try {
    const env = { ...given, DATABASE_URL: database.url };
    if (database.embedded) {
      await new Migrator({ url: database.url, log: () => {} }).up();
      await installQueues(database.url);
    }
    await requireDatabase(env);
    app = await createApp(env);
    const where = { host: env.HOST, port: env.PORT, backlog: env.HTTP_MAX_CONNECTIONS };
    holdSignals();
    const doors = await Doors.open(app, where);
    // After all that may fail: the key is told once.
    const key = database.embedded ? await prepareFirstStart(app) : null;
    drainOnSignal({ app, doors, env, release: database.close });
    const url = env.PUBLIC_URL ? publicUrlOf(env) : localUrl(app);
    await database.announce(url);
    const visitor = database.embedded ? await findSampleVisitor(app) : null;
    const demo = env.NODE_ENV === 'production' ? null : { url: url + DEMO_PATH, visitor };
    process.stdout.write(banner({ url, embedded: database.embedded, key, demo }));
  } catch (error) {
    // Before its database: it would complain of that, and bury what is wrong.
    await app?.close();
    await database.close();
    throw error;
  }
}

async function requireDatabase(env: Env & { DATABASE_URL: string }): Promise<void> {
  let logger: ReturnType<typeof startLogger> | undefined;
  const patience = {
    timeout: env.DATABASE_START_TIMEOUT_MS,
    tell: (line: string): void => (logger ??= startLogger(env)).warn(line),
  };
  const end = performance.now() + patience.timeout;
  await requireSchema(env.DATABASE_URL, patience);
  const direct = env.DATABASE_DIRECT_URL;
  const timeout = Math.max(0, Math.round(end - performance.now()));
  if (direct) await awaitDatabase(direct, { ...patience, timeout, setting: 'DATABASE_DIRECT_URL' });
}

function localUrl(app: NestFastifyApplication): string {
  const address = app.getHttpServer().address();
  if (address === null || typeof address === 'string') return String(address);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host === '0.0.0.0' || host === '[::]' ? 'localhost' : host}:${address.port}`;
}

/** As much as errors of the system tell. */
interface Failure {
  code?: string;
  message?: string;
  syscall?: string;
  port?: number;
  address?: string;
  hostname?: string;
}

function explain(error: unknown): string {
  const { code, port, message, syscall, address, hostname } = error as Failure;
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken by another program. Set PORT to a free one, e.g. PORT=3001.`;
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo')
    return `This machine has no address ${address ?? hostname} to listen on. Set HOST to one of its own, or to 0.0.0.0 for all.`;
  return message || String(error);
}
