// Asked once before anything is built on the database: does it answer, with the schema this release knows?
import { type Patience, connectPatiently } from './await-database.js';
import { checkSchema, schemaRefusal } from './schema-check.js';

/** @throws Error with one sentence that says what is wrong with the database and what mends it. */
export async function requireSchema(url: string, patience: Patience): Promise<void> {
  const client = await connectPatiently(url, patience);
  try {
    const refusal = schemaRefusal(
      await checkSchema({ query: async (sql) => (await client.query<object>(sql)).rows }),
    );
    if (refusal) throw new Error(refusal);
  } finally {
    await client.end();
  }
}
