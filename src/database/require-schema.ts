// Asked once before anything is built on the database: does it answer, with the schema this release knows, and to a role
// that may do what this release does?
import { type Patience, connectPatiently } from './await-database.js';
import type { Database } from './migration-table.js';
import { checkSchema, schemaRefusal } from './schema-check.js';
import { compareRights } from './service-role.js';

/** @throws Error with one sentence that says what is wrong with the database and what mends it. */
export async function requireSchema(url: string, patience: Patience): Promise<void> {
  const client = await connectPatiently(url, patience);
  try {
    const db: Database = { query: async (sql, values) => (await client.query<object>(sql, values)).rows };
    const { lacks } = await compareRights(db);
    const refusal = lacks.length > 0 ? await rightsRefusal(db, lacks) : schemaRefusal(await checkSchema(db));
    if (refusal) throw new Error(refusal);
  } finally {
    await client.end();
  }
}

async function rightsRefusal(db: Database, lacks: string[]): Promise<string> {
  const [{ role }] = (await db.query('SELECT current_user AS role')) as [{ role: string }];
  const more = lacks.length > 3 ? ` and ${lacks.length - 3} more rights` : '';
  return (
    `The role ${role} lacks ${lacks.slice(0, 3).join(', ')}${more}: run \`npx nest start migrate -- grant ${role}\`` +
    ` (\`node dist/migrate.js grant ${role}\` in the image) as the role that owns the schema, then start again.`
  );
}
