// Starts the PostgreSQL of the tests and migrates the template database that createTestDatabase() clones.
import './typescript.mjs';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestServer } from './test-server.ts';

let stop = async (): Promise<void> => {};

/** Publishes TEST_SERVER_URL (an administrator's connection) and TEST_TEMPLATE to the test files. */
export default async function setup(): Promise<void> {
  // Imported here: static imports are linked before the compiler above is in place.
  const { startTestServer } = await import('./test-server.ts');
  const server = await startTestServer();
  // Jest skips its teardown on a Ctrl-C.
  const interrupted = (): void => void server.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);

  const template = `contacts_template_${randomBytes(4).toString('hex')}`;
  stop = async () => {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await run(server.url, [`ALTER DATABASE ${template} IS_TEMPLATE false`, `DROP DATABASE ${template}`]);
    await server.stop();
  };
  try {
    await makeTemplate(server, template);
  } catch (error) {
    await server.stop();
    throw error;
  }
  process.env.TEST_SERVER_URL = server.url;
  process.env.TEST_TEMPLATE = template;
  console.log(`\nTests run on ${server.description}.`);
}

export const teardown = (): Promise<void> => stop();

async function makeTemplate(server: TestServer, name: string): Promise<void> {
  const { Migrator } = await import('../../src/database/migrator.js');
  await run(server.url, [`CREATE DATABASE ${name} TEMPLATE template0`]);
  const url = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
  await new Migrator({ url, log: () => {} }).up();
  const { installQueues } = await import('../../src/mail/install-queues.js');
  await installQueues(url);
  // A connection to it would keep it from being cloned.
  await run(server.url, [`ALTER DATABASE ${name} IS_TEMPLATE true ALLOW_CONNECTIONS false`]);
}

async function run(url: string, statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
