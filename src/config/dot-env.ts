// The file .env of a checkout, for those who would rather not export every setting.
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { closest, distance } from 'fastest-levenshtein';

/** So few letters apart, one name is taken for the other. */
const SLIP = 2;

/**
 * Adds what .env says to the environment, where a variable already set wins, as everywhere.
 * @returns `<name>: what may be meant` for each name there that is nearly one of `names`, and so would do nothing without
 * a word. Others are somebody else's: Docker Compose reads the file, too.
 */
export function loadDotEnv(names: readonly string[]): string[] {
  if (!existsSync('.env')) return [];
  process.loadEnvFile('.env');
  const known = names.flatMap((name) => [name, `${name}_FILE`]);
  return Object.keys(parseEnv(readFileSync('.env', 'utf8')))
    .filter((name) => !known.includes(name))
    .map((name) => ({ name, meant: closest(name, known) }))
    .filter(({ name, meant }) => distance(name, meant) <= SLIP)
    .map(({ name, meant }) => `${name}: there is no such setting; did you mean ${meant}?`);
}
