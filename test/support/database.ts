// A database of its own for a test file: a clone of the migrated template.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface TestDatabase {
  url: string;
  /** Drops it, ending connections that are still open. */
  drop: () => Promise<void>;
}

const OBJECT_IN_USE = '55006';

/** Clones the template, about a tenth of a second; the caller drops the clone. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = setting('TEST_SERVER_URL');
  const name = `contacts_test_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${setting('TEST_TEMPLATE')}`);
  return {
    url: Object.assign(new URL(server), { pathname: `/${name}` }).href,
    drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** A database of its own, and a connection to it. */
export interface ConnectedDatabase {
  url: string;
  client: pg.Client;
  /** Ends the connection and drops the database. */
  close: () => Promise<void>;
}

export async function connectTestDatabase(): Promise<ConnectedDatabase> {
  const { url, drop } = await createTestDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return { url, client, close: () => client.end().then(drop) };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.query(statement);
        return;
      } catch (error) {
        // Autovacuum may be visiting the template.
        if ((error as { code?: string }).code !== OBJECT_IN_USE || attempt === 5) throw error;
        await sleep(200);
      }
    }
  } finally {
    await client.end();
  }
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`npm test\`.`);
  return value;
}
