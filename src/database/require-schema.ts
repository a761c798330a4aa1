// Asked once before anything is built on the database: does it answer, with the schema this release knows?
import { Client } from 'pg';
import { checkSchema, schemaRefusal } from './schema-check.js';

/** @throws Error with one sentence that says what is wrong with the database and what mends it. */
export async function requireSchema(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
  } catch (error) {
    throw new Error(unreachable(url, error as Error), { cause: error });
  }
  try {
    const refusal = schemaRefusal(
      await checkSchema({ query: async (sql) => (await client.query<object>(sql)).rows }),
    );
    if (refusal) throw new Error(refusal);
  } finally {
    await client.end();
  }
}

/** The fault with the address, never with the password. */
function unreachable(url: string, error: Error): string {
  const { hostname, port, pathname } = new URL(url);
  return `No database to be had at ${hostname}:${port || 5432}${pathname}: ${error.message}. Check DATABASE_URL.`;
}
