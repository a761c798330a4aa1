// How far runs outside a transaction have come: the next one goes on where one broke off.
import type { Client } from 'pg';

export type Direction = 'up' | 'down';

/** How far a step in batches has come. */
export interface Progress {
  readonly next: object | null;
  readonly rows: number;
}

export const AT_FIRST: Progress = { next: null, rows: 0 };

/** Where the run of this name (migration, direction and checksum) broke off; undefined where it did not. */
export async function progressOf(
  client: Client,
  run: string,
): Promise<(Progress & { readonly step: number }) | undefined> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS migration_progress (
       run text PRIMARY KEY, step integer NOT NULL, next jsonb, rows bigint NOT NULL
     )`,
  );
  const { rows } = await client.query<Progress & { step: number }>(
    'SELECT step, next, rows::float8 AS rows FROM migration_progress WHERE run = $1',
    [run],
  );
  return rows[0];
}

export async function keepProgress(
  client: Client,
  run: string,
  step: number,
  { next, rows }: Progress,
): Promise<void> {
  await client.query(
    `INSERT INTO migration_progress (run, step, next, rows) VALUES ($1, $2, $3, $4)
     ON CONFLICT (run) DO UPDATE SET step = EXCLUDED.step, next = EXCLUDED.next, rows = EXCLUDED.rows`,
    [run, step, next, rows],
  );
}

export async function dropProgress(client: Client): Promise<void> {
  await client.query('DROP TABLE migration_progress');
}

/** The name of a migration whose run in this direction broke off; null if there is none. */
export async function brokenOff(client: Client, direction: Direction): Promise<string | null> {
  if (!(await isKept(client))) return null;
  const { rows } = await client.query<{ name: string }>(
    `SELECT split_part(run, ' ', 1) AS name FROM migration_progress WHERE ${IN_DIRECTION} LIMIT 1`,
    [direction],
  );
  return rows[0]?.name ?? null;
}

/** Such runs begin anew: what they had done stood on what is being taken away. */
export async function forgetBrokenOff(client: Client, direction: Direction): Promise<void> {
  if (!(await isKept(client))) return;
  await client.query(`DELETE FROM migration_progress WHERE ${IN_DIRECTION}`, [direction]);
}

const IN_DIRECTION = `split_part(run, ' ', 2) = $1`;

async function isKept(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ present: boolean }>(
    `SELECT to_regclass('migration_progress') IS NOT NULL AS present`,
  );
  return rows[0]?.present ?? false;
}
