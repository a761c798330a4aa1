// Writes the file of a new migration.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Drift } from './drift.js';
import { MIGRATIONS_DIRECTORY } from './migration-files.js';

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)+$/;

/** Where the formatter breaks a list, less the property's name. */
const ONE_LINE = 100;

export function isMigrationName(name: string): boolean {
  return NAME.test(name);
}

/**
 * Writes `<directory>/<now>-<name>.ts` with the statements of `drift`, or with empty lists to fill in.
 * @returns the path written.
 * @throws Error when the name is not `<verb>-<noun>` in kebab case.
 */
export async function writeMigration(
  name: string,
  drift: Drift,
  { directory = MIGRATIONS_DIRECTORY, now = Date.now() } = {},
): Promise<string> {
  if (!isMigrationName(name))
    throw new Error(`A migration is named <verb>-<noun> in kebab case, not "${name}".`);
  const path = join(directory, `${now}-${name}.ts`);
  await writeFile(path, migrationSource(name, drift), { flag: 'wx' });
  return path;
}

function migrationSource(name: string, { up, down }: Drift): string {
  const title = name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ');
  return `// ${title}.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  up: ${list(up, 'The entities ask for no change: write the statements here.')},
  down: ${list(down, 'Write the statements that undo up here.')},
};
`;
}

function list(statements: string[], comment: string): string {
  const literals = statements.map(literal);
  const oneLine = `[${literals.join(', ')}]`;
  if (literals.length > 0 && oneLine.length <= ONE_LINE) return oneLine;
  const lines = literals.length > 0 ? literals.map((sql) => `${sql},`) : [`// ${comment}`];
  return `[\n${lines.map((line) => `    ${line}\n`).join('')}  ]`;
}

function literal(sql: string): string {
  return `\`${sql.replaceAll(/[\\`]|\$(?=\{)/g, String.raw`\$&`)}\``;
}
