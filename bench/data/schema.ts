// Whether the schema of a database that an earlier run left is what is to be measured: an index that somebody tried out,
// or a trigger left disabled, would be taken for what the service costs.
import { loadMigrator } from '../built.ts';
import { administer } from './administer.ts';

/** What reads and writes cost: indexes, triggers, functions and tables, each with its settings. */
const SCHEMA = `
  SELECT pg_get_indexdef(indexrelid) AS line FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT starts_with(relname, 'bench_')
  UNION ALL
  SELECT format('%s (%s)', pg_get_triggerdef(t.oid), CASE tgenabled WHEN 'O' THEN 'enabled' ELSE 'disabled' END)
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal
  UNION ALL
  SELECT pg_get_functiondef(p.oid) FROM pg_proc p
    WHERE pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT format('TABLE %s WITH (%s)', relname, array_to_string(reloptions, ', ')) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
  ORDER BY 1`;

/**
 * Compares it with that of an empty database that is migrated for it.
 * @throws Error that names what is there and should not be, and the other way round.
 */
export async function requireMigratedSchema(serverUrl: string, url: string): Promise<void> {
  const name = 'contacts_bench_schema';
  const drop = `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`;
  const migrated = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  await administer(serverUrl, [drop, `CREATE DATABASE ${name} TEMPLATE template0`]);
  try {
    const { Migrator } = await loadMigrator();
    await new Migrator({ url: migrated, log: () => {} }).up();
    const [there, wanted] = await Promise.all([linesOf(url), linesOf(migrated)]);
    const differences = [
      ...there.filter((line) => !wanted.includes(line)).map((line) => `  is there:  ${line}`),
      ...wanted.filter((line) => !there.includes(line)).map((line) => `  is wanted: ${line}`),
    ];
    if (differences.length > 0) {
      const what = 'The schema of the database is not what its migrations make. --fresh makes it anew.';
      throw new Error(`${what}\n${differences.join('\n')}`);
    }
  } finally {
    await administer(serverUrl, [drop]);
  }
}

async function linesOf(url: string): Promise<string[]> {
  const [result] = await administer(url, [SCHEMA]);
  return result?.rows.map(({ line }: { line: string }) => line) ?? [];
}
