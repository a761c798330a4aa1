// The service: opens its database, listens, and drains when asked to stop.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.setup.js';
import { logLastWords } from './common/last-words.js';
import { DEMO_PATH, type Env, loadEnv } from './config/env.js';
import { installQueues } from './mail/install-queues.js';
import { Migrator } from './database/migrator.js';
import { requireSchema } from './database/require-schema.js';
import { banner } from './local/banner.js';
import { findSampleVisitor, prepareFirstStart } from './local/first-start.js';
import { type ServiceDatabase, openServiceDatabase } from './local/local-database.js';

logLastWords();
try {
  await start(loadEnv());
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

async function start(given: Env): Promise<void> {
  const database = await openServiceDatabase(given);
  try {
    const env = { ...given, DATABASE_URL: database.url };
    if (database.embedded) {
      await new Migrator({ url: database.url, log: () => {} }).up();
      await installQueues(database.url);
    }
    await requireSchema(database.url);
    const app = await createApp(env);
    const key = database.embedded ? await prepareFirstStart(app) : null;
    await app.listen({ host: env.HOST, port: env.PORT });
    const url = env.PUBLIC_URL ?? localUrl(app);
    await database.announce(url);
    const visitor = database.embedded ? await findSampleVisitor(app) : null;
    const demo = env.NODE_ENV === 'production' ? null : { url: url + DEMO_PATH, visitor };
    process.stdout.write(banner({ url, embedded: database.embedded, key, demo }));
    drainOnSignal(app, database);
  } catch (error) {
    await database.close();
    throw error;
  }
}

function localUrl(app: NestFastifyApplication): string {
  const address = app.getHttpServer().address();
  if (address === null || typeof address === 'string') return String(address);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host === '0.0.0.0' || host === '[::]' ? 'localhost' : host}:${address.port}`;
}

/** The first signal finishes what is in flight, the second ends at once. */
function drainOnSignal(app: NestFastifyApplication, database: ServiceDatabase): void {
  const stop = async (): Promise<void> => {
    process.once('SIGINT', () => process.exit(1)).once('SIGTERM', () => process.exit(1));
    await app.close();
    await database.close();
    process.exit(0);
  };
  process.once('SIGINT', () => void stop()).once('SIGTERM', () => void stop());
}

function explain(error: unknown): string {
  const { code, port, message } = error as { code?: string; port?: number; message?: string };
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken by another program. Set PORT to a free one, e.g. PORT=3001.`;
  return message || String(error);
}
