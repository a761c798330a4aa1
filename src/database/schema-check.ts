// Whether the database has exactly the migrations this code knows: asked before listening and by readiness.
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
export function schemaRefusal({ state, pending, unknown }: SchemaCheck): string | null {
  if (state === 'current') return null;
  if (state === 'older') {
    return (
      `The database lacks ${counted(pending)}: run \`npx nest start migrate -- up\`` +
      ` (\`node dist/migrate.js up\` in the image), then start again.`
    );
  }
  return (
    `The database is newer than this release, which does not know ${counted(unknown)}: deploy the matching release,` +
    ` or run \`npx nest start migrate -- down --steps ${unknown.length}\`` +
    ` (\`node dist/migrate.js down --steps ${unknown.length}\` in the image) from it.`
  );
}

function counted(names: string[]): string {
  return `${names.length} migration${names.length === 1 ? '' : 's'} (${names.join(', ')})`;
}
