// The bench's own database on a server: made, filled and recorded, or found as an earlier run left it.
import { loadMigrator, runBuilt } from '../built.ts';
import { type Progress, group } from '../progress.ts';
import { administer } from './administer.ts';
import { generate } from './generate.ts';
import { requireMigratedSchema } from './schema.ts';

/** Raised whenever what is generated changes, so that earlier databases are made anew. */
const GENERATOR_VERSION = 4;

interface Wanted {
  /** A role that may create databases, on any database of the server. */
  serverUrl: string;
  contacts: number;
  /** Makes the database anew, whatever is there. */
  fresh: boolean;
}

/**
 * The URL of a database with exactly these contacts, which is generated if it has to be.
 * @throws Error when somebody has changed the schema of the one that is there.
 */
export async function prepareDatabase(
  { serverUrl, contacts, fresh }: Wanted,
  progress: Progress,
): Promise<string> {
  const name = `contacts_bench_${contacts}`;
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const stale = fresh ? 'it was asked for' : await reasonToGenerate(serverUrl, { name, url, contacts });
  if (stale === null) {
    await requireMigratedSchema(serverUrl, url);
    progress.note(`database ${name}: as an earlier run generated it`);
    return url;
  }
  progress.note(`database ${name}: generating ${group(contacts)} contacts, since ${stale}`);
  await administer(serverUrl, [
    `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`,
    `CREATE DATABASE ${name} TEMPLATE template0`,
  ]);
  await runBuilt('migrate', ['up'], { NODE_ENV: 'development', DATABASE_URL: url, DATABASE_DIRECT_URL: '' });
  await administer(url, [
    'CREATE SCHEMA bench',
    'CREATE TABLE bench.generated (version integer, contacts integer, at timestamptz DEFAULT now())',
  ]);
  await generate({ url, contacts, searched: true }, progress);
  await administer(url, [`INSERT INTO bench.generated VALUES (${GENERATOR_VERSION}, ${contacts})`]);
  return url;
}

/** Null when the database is there, whole, and of this version of generator and schema. */
async function reasonToGenerate(
  serverUrl: string,
  { name, url, contacts }: { name: string; url: string; contacts: number },
): Promise<string | null> {
  const [there] = await administer(serverUrl, [`SELECT FROM pg_database WHERE datname = '${name}'`]);
  if (there?.rowCount === 0) return 'there is none';
  const { Migrator } = await loadMigrator();
  const { state, changed } = await new Migrator({ url }).status();
  if (state !== 'current' || changed.length > 0) return 'its schema is not of this release';
  const [recorded] = await administer(url, [`SELECT to_regclass('bench.generated') IS NOT NULL AS begun`]);
  const begun = (recorded?.rows[0] as { begun: boolean } | undefined)?.begun;
  if (!begun) return 'it was not finished';
  const [found] = await administer(url, ['SELECT version, contacts FROM bench.generated']);
  const row = found?.rows[0] as { version: number; contacts: number } | undefined;
  if (!row) return 'it was not finished';
  return row.version === GENERATOR_VERSION && row.contacts === contacts
    ? null
    : 'the generator has changed since';
}
