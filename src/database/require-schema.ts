// Asked once before anything is built on the database: does it answer, with the schema this release needs, and to a
// role that may do what this release does?
import { type Patience, askPatiently } from './await-database.js';
import { checkSettings } from './database-settings.js';
import { loadMigrations } from './migration-files.js';
import { migrationStatus, refuseChanged } from './migration-status.js';
import { type Database, appliedMigrations } from './migration-table.js';
import { checkSchema, schemaRefusal, schemaWarning } from './schema-check.js';
import { compareRights } from './service-role.js';

/**
 * A schema that the next release has brought up will do, as it does for readiness: or else a process that dies between
 * the migrations and the rollout could not come back. `patience.tell` hears of it.
 * @throws Error that says what is wrong with the database and what mends it.
 */
export async function requireSchema(url: string, patience: Patience): Promise<void> {
  const { refusal, warnings, applied } = await askPatiently(url, patience, async (client) =>
    examine({ query: async (sql, values) => (await client.query<object>(sql, values)).rows }),
  );
  if (refusal) throw new Error(refusal);
  if (applied) refuseChanged(migrationStatus(await loadMigrations(), applied));
  for (const warning of warnings) patience.tell(warning);
}

async function examine(db: Database): Promise<Findings> {
  const { lacks } = await compareRights(db);
  if (lacks.length > 0) return { refusal: await rightsRefusal(db, lacks), warnings: [] };
  const schema = await checkSchema(db);
  const older = schemaRefusal(schema);
  if (older) return { refusal: older, warnings: [] };
  const newer = schemaWarning(schema);
  const { refusal, warning } = await checkSettings(db);
  return {
    refusal,
    warnings: [newer, warning].filter((line) => line !== null),
    ...(newer && { applied: await appliedMigrations(db) }),
  };
}

interface Findings {
  /** Why there can be no start. */
  readonly refusal: string | null;
  readonly warnings: readonly string[];
  /** Of a schema that is newer: they may not be those of this release. */
  readonly applied?: Awaited<ReturnType<typeof appliedMigrations>>;
}

async function rightsRefusal(db: Database, lacks: string[]): Promise<string> {
  const [{ role }] = (await db.query('SELECT current_user AS role')) as [{ role: string }];
  const more = lacks.length > 3 ? ` and ${lacks.length - 3} more rights` : '';
  return (
    `The role ${role} lacks ${lacks.slice(0, 3).join(', ')}${more}: run \`npx nest start migrate -- grant ${role}\`` +
    ` (\`node dist/migrate.js grant ${role}\` in the image) as the role that owns the schema, then start again.`
  );
}
