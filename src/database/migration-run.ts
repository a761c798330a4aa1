// Runs the steps of one migration, without ever making the service's own statements wait for long.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { MigrationFile } from './migration-files.js';
import { MigrationError } from './migration-error.js';
import { type BatchedStep, type MigrationStep, sqlOf } from './migration.js';

export type Direction = 'up' | 'down';

export interface Run {
  readonly client: Client;
  readonly file: MigrationFile;
  readonly direction: Direction;
  readonly log: (line: string) => void;
  /** How long in all to go on asking for a table that others keep locked, in ms. */
  readonly patience: number;
}

/**
 * Waiting for a table's lock holds up every later statement on that table: ask for a moment, let them through, and
 * ask again.
 */
const LOCK_TIMEOUT = '900ms';
const LOCK_PAUSE_MS = 500;
const LOCK_NOT_AVAILABLE = '55P03';

const PROGRESS_EVERY_MS = 5_000;

/** The steps and `record` in one transaction. */
export async function runInTransaction(run: Run, record: () => Promise<void>): Promise<void> {
  const { client, file, direction } = run;
  await untilUnlocked(run, async () => {
    await client.query(`BEGIN; SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    try {
      for (const [index, step] of file.migration[direction].entries()) {
        await explained(run, index, () => client.query(sqlOf(step)));
      }
      await record();
      await client.query('COMMIT');
    } catch (error) {
      // The first error tells more than a rollback's on a lost connection, which rolls back anyway.
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
}

/** The steps one by one, from the one that an earlier run broke off in; then `record`. */
export async function runStepwise(run: Run, record: () => Promise<void>): Promise<void> {
  const { client, file, direction } = run;
  await client.query(
    `CREATE TABLE IF NOT EXISTS migration_progress (run text PRIMARY KEY, step integer NOT NULL, next jsonb)`,
  );
  const name = `${file.name} ${direction} ${file.checksum}`;
  const { rows } = await client.query<Progress>('SELECT step, next FROM migration_progress WHERE run = $1', [
    name,
  ]);
  const begun = rows[0] ?? { step: 0, next: null };
  if (rows[0]) run.log(`${file.name} goes on at step ${begun.step + 1}, where it broke off`);
  const reached = (step: number, next: object | null): Promise<unknown> =>
    client.query(
      `INSERT INTO migration_progress (run, step, next) VALUES ($1, $2, $3)
       ON CONFLICT (run) DO UPDATE SET step = EXCLUDED.step, next = EXCLUDED.next`,
      [name, step, next],
    );
  const steps = file.migration[direction];
  for (const [index, step] of steps.entries()) {
    if (index < begun.step) continue;
    const from = index === begun.step ? begun.next : null;
    await explained(run, index, () =>
      typeof step === 'string'
        ? alone(run, step)
        : inBatches(run, step, from, (next) => reached(index, next)),
    );
    await reached(index + 1, null);
  }
  await client.query('BEGIN; DROP TABLE migration_progress');
  await record();
  await client.query('COMMIT');
}

interface Progress {
  step: number;
  next: object | null;
}

async function alone(run: Run, statement: string): Promise<void> {
  const { client, log } = run;
  // What runs CONCURRENTLY makes nobody wait while it waits itself.
  const concurrent = /\bCONCURRENTLY\b/.test(statement);
  await client.query(`SET lock_timeout = '${concurrent ? 0 : LOCK_TIMEOUT}'`);
  log(statement.split('\n', 1)[0] ?? '');
  await untilUnlocked(run, () => client.query(statement));
}

async function inBatches(
  run: Run,
  { fill, of, batch }: BatchedStep,
  from: object | null,
  reached: (next: object) => Promise<unknown>,
): Promise<void> {
  const { client, log } = run;
  const estimate = await client.query<{ rows: number }>(
    'SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = $1::regclass',
    [of],
  );
  const all = Math.max(estimate.rows[0]?.rows ?? 0, 0);
  await client.query('SET lock_timeout = 0');
  let done = 0;
  let told = performance.now();
  for (let next: object | null = from; ;) {
    await client.query('BEGIN');
    const { rows } = await client.query<{ rows: number; next: object | null }>(batch, [next]);
    const [result] = rows;
    if (!result?.next) break;
    done += result.rows;
    next = result.next;
    await reached(result.next);
    await client.query('COMMIT');
    if (performance.now() - told > PROGRESS_EVERY_MS) {
      told = performance.now();
      log(`${fill}: ${done} of about ${Math.max(all, done)} rows`);
    }
  }
  await client.query('COMMIT');
  log(`${fill}: ${done} rows`);
}

/** Says which statement failed. */
async function explained<T>({ file, direction }: Run, index: number, work: () => Promise<T>): Promise<T> {
  return work().catch((cause: unknown) => {
    throw new MigrationError({ file, direction, index, cause });
  });
}

async function untilUnlocked(run: Run, work: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + run.patience;
  for (let waiting = false; ; waiting = true) {
    try {
      await work();
      return;
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || performance.now() > deadline) throw error;
      if (!waiting) run.log(`${run.file.name} waits for a table that others have locked`);
      await delay(LOCK_PAUSE_MS);
    }
  }
}

function sqlState(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return code ?? cause?.code;
}

/** The steps as they would run, for a dry run. */
export function printable(steps: readonly MigrationStep[]): string[] {
  return steps.map((step) =>
    typeof step === 'string' ? `${step};` : `-- in batches: ${step.fill}\n${step.batch};`,
  );
}
