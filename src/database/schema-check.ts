// Which migrations of this code the database lacks, and which it has beyond: asked before listening and by readiness.
import { migrationNames } from './migration-files.js';
import { type Database, appliedMigrations } from './migration-table.js';

export interface SchemaCheck {
  /** `newer` whenever the database has a migration this code lacks, even if others are pending. */
  readonly state: 'current' | 'older' | 'newer';
  /** Names of migrations this code has and the database lacks, in order. */
  readonly pending: string[];
  /** Names of migrations the database has and this code lacks. */
  readonly unknown: string[];
}

/** Compares the database's migrations with the files in `directory` (by default those of this release). */
export async function checkSchema(database: Database, directory?: string): Promise<SchemaCheck> {
  const known = await migrationNames(directory);
  const applied = (await appliedMigrations(database)).map(({ name }) => name);
  return compareNames(known, applied);
}

export function compareNames(known: string[], applied: string[]): SchemaCheck {
  const pending = known.filter((name) => !applied.includes(name));
  const unknown = applied.filter((name) => !known.includes(name));
  const state = unknown.length > 0 ? 'newer' : pending.length > 0 ? 'older' : 'current';
  return { state, pending, unknown };
}

/** Why the service must not serve, with the command that mends it; null when it may. */
export function schemaRefusal({ pending }: SchemaCheck): string | null {
  if (pending.length === 0) return null;
  return (
    `The database lacks ${counted(pending)} (${pending.join(', ')}): run \`npx nest start migrate -- up\`` +
    ` (\`node dist/migrate.js up\` in the image), then start again.`
  );
}

/** What to tell of a database that has more; null when it has not. A migration works with the release before it. */
export function schemaWarning({ unknown }: SchemaCheck): string | null {
  if (unknown.length === 0) return null;
  return (
    `The database is newer than this release, which does not know ${counted(unknown)} (the newest is` +
    ` ${unknown.toSorted().at(-1)}): the next release is about to replace it, or its migrations have to be undone.`
  );
}

function counted({ length }: string[]): string {
  return `${length} migration${length === 1 ? '' : 's'}`;
}
