// The migrations folder: its names in order, and what each file holds.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Migration } from './migration.js';

/** `<package root>/migrations`; src/ and dist/ lie equally deep. */
export const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Milliseconds since 1970, then words in kebab case. */
const FILE_NAME = /^\d{13}-[a-z0-9]+(-[a-z0-9]+)*\.ts$/;

export interface MigrationFile {
  readonly name: string;
  readonly migration: Migration;
  /** SHA-256 of the statements, hexadecimal: comments outside the SQL may still be mended. */
  readonly checksum: string;
}

/**
 * Names (file names without `.ts`) in the order they apply.
 * @throws Error on a `.ts` file whose name has no place in that order.
 */
export async function migrationNames(directory = MIGRATIONS_DIRECTORY): Promise<string[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.ts'));
  const misnamed = files.filter((file) => !FILE_NAME.test(file));
  if (misnamed.length > 0) {
    throw new Error(`Not a migration's name (<milliseconds>-<verb>-<noun>.ts): ${misnamed.join(', ')}`);
  }
  // All prefixes have 13 digits, so the order of the text is the order of time.
  return files.map((file) => file.slice(0, -'.ts'.length)).toSorted();
}

/**
 * Every migration of the folder, in order.
 * @throws Error naming the file which exports no complete migration.
 */
export async function loadMigrations(directory = MIGRATIONS_DIRECTORY): Promise<MigrationFile[]> {
  const files: MigrationFile[] = [];
  for (const name of await migrationNames(directory)) {
    const module = (await import(pathToFileURL(join(directory, `${name}.ts`)).href)) as {
      migration?: Migration;
    };
    const { migration } = module;
    if (!migration?.up?.length || !migration.down?.length) {
      throw new Error(`${name}.ts must export a migration with statements in both up and down.`);
    }
    const checksum = createHash('sha256')
      .update(JSON.stringify([migration.up, migration.down]))
      .digest('hex');
    files.push({ name, migration, checksum });
  }
  return files;
}
