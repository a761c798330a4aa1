// A database that was made, or set, in a way that the service cannot work with, or not well.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Migrator } from '../src/database/migrator.js';
import { requireSchema } from '../src/database/require-schema.js';
import { type ConnectedDatabase, connectTestDatabase } from './support/database.js';

let database: ConnectedDatabase;
let client: ConnectedDatabase['client'];
beforeAll(async () => {
  database = await connectTestDatabase();
  ({ client } = database);
});
afterAll(() => database.close());

/** What a start is told, beside a refusal. */
async function warnings(url: string): Promise<string[]> {
  const told: string[] = [];
  await requireSchema(url, { timeout: 0, tell: (line) => told.push(line) });
  return told;
}

test('dates in another style than ISO are refused, with what mends it', async () => {
  const name = new URL(database.url).pathname.slice(1);
  expect(await warnings(database.url)).toEqual([]);
  await client.query(`ALTER DATABASE ${name} SET datestyle = 'SQL, DMY'`);
  await expect(warnings(database.url)).rejects.toThrow(
    `this database writes them as SQL, DMY: ALTER DATABASE "${name}" RESET datestyle`,
  );
  await client.query(`ALTER DATABASE "${name}" RESET datestyle`);
  expect(await warnings(database.url)).toEqual([]);
});

test('a database that knows ASCII letters only is told of, and works', async () => {
  const url = new URL(database.url);
  url.pathname = `${url.pathname}_ascii`;
  const name = url.pathname.slice(1);
  await client.query(
    `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'`,
  );
  try {
    await new Migrator({ url: url.href, log: () => undefined }).up();
    expect(await warnings(url.href)).toEqual([expect.stringContaining('LC_CTYPE')]);
  } finally {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});
