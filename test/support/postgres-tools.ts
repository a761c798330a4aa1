// The programs of PostgreSQL that this machine has besides the server of the tests.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

/** Where Debian keeps each version. */
const VERSIONS = '/usr/lib/postgresql';

/** The folder of a pg_dump that can dump the server at `url`: it must not be older. Undefined if there is none. */
export async function findDumpTools(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  await client.end();
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  const fitting = versions
    .filter((version) => version >= (rows[0]?.major ?? Infinity))
    .toSorted((a, b) => a - b);
  return fitting
    .map((version) => join(VERSIONS, String(version), 'bin'))
    .find((bin) => existsSync(join(bin, 'pg_dump')));
}

/** Runs a command line as a shell does. @throws Error with what it printed when it fails. */
export function runInShell(line: string, options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-c', line], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${line}\n${stdout}${stderr}`, { cause: error }));
      else resolve();
    });
  });
}
