// Runs the steps of one migration, without ever making the service's own statements wait for long.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { tellIndexProgress } from './index-progress.js';
import type { MigrationFile } from './migration-files.js';
import { MigrationError } from './migration-error.js';
import {
  AT_FIRST,
  type Direction,
  type Progress,
  dropProgress,
  keepProgress,
  progressOf,
} from './migration-progress.js';
import { type BatchedStep, type IndexStep, type MigrationStep, sqlOf, statementsOf } from './migration.js';

export interface Run {
  readonly client: Client;
  readonly file: MigrationFile;
  readonly direction: Direction;
  readonly log: (line: string) => void;
  /** How long in all to go on asking for a table that others keep locked, in ms. */
  readonly patience: number;
  /** Time between two lines of progress, in ms. */
  readonly progressEvery: number;
  /** Another connection, for whoever watches the first. */
  readonly connect: () => Promise<Client>;
}

/**
 * Waiting for a table's lock holds up every later statement on that table: ask for a moment, let them through, and
 * ask again.
 */
const LOCK_TIMEOUT = '900ms';
/**
 * A batch that waits for one row keeps others from the rows it has already. It gives in long before PostgreSQL looks
 * for a deadlock, after a second, and might choose the service's statement to fail.
 */
const BATCH_LOCK_TIMEOUT = '200ms';
const LOCK_PAUSE_MS = 500;
const LOCK_NOT_AVAILABLE = '55P03';

/** The steps and `record` in one transaction. */
export async function runInTransaction(run: Run, record: () => Promise<void>): Promise<void> {
  const { client, file, direction } = run;
  await untilUnlocked(run, 'a table', () =>
    inTransaction(client, async () => {
      await afterMaintenance(run);
      await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      for (const [index, step] of file.migration[direction].entries()) {
        await explained(run, index, () => client.query(sqlOf(step)));
      }
      await record();
    }),
  );
}

/**
 * Waits until no vacuum, no ANALYZE and no index build works on the tables, and keeps new ones away. This lock lets
 * every read and write pass, so it may wait for more than the second after which PostgreSQL breaks an automatic vacuum
 * off; a lock that is given up earlier would find the same vacuum there again and again.
 */
async function afterMaintenance({ client, file, direction, patience }: Run): Promise<void> {
  for (const table of file.migration.alters ?? []) {
    await client.query(`SET LOCAL lock_timeout = ${Math.max(1, patience)}`);
    await client.query(`LOCK TABLE ${table} IN SHARE UPDATE EXCLUSIVE MODE`).catch((cause: unknown) => {
      if (sqlState(cause) !== LOCK_NOT_AVAILABLE) throw cause;
      throw new Error(
        `${file.name} (${direction}) has to alter ${table}, but a vacuum, an ANALYZE or an index build is at work on it: ` +
          'run it again later.',
        { cause },
      );
    });
  }
}

/** The steps one by one, from the one that an earlier run broke off in; then `record`. */
export async function runStepwise(run: Run, record: () => Promise<void>): Promise<void> {
  const { client, file, direction } = run;
  const name = `${file.name} ${direction} ${file.checksum}`;
  const known = await progressOf(client, name);
  const begun = known ?? { step: 0, ...AT_FIRST };
  if (known) run.log(`${file.name} goes on at step ${begun.step + 1}, where it broke off`);
  const reached = (step: number, progress: Progress): Promise<void> =>
    keepProgress(client, name, step, progress);
  const steps = file.migration[direction];
  for (const [index, step] of steps.entries()) {
    if (index < begun.step) continue;
    const from = index === begun.step ? begun : AT_FIRST;
    await explained(run, index, () => {
      if (typeof step === 'string') return alone(run, step);
      if ('index' in step) return anIndex(run, step);
      return inBatches(run, step, from, (progress) => reached(index, progress));
    });
    await reached(index + 1, AT_FIRST);
  }
  await inTransaction(client, async () => {
    await dropProgress(client);
    await record();
  });
}

async function alone(run: Run, statement: string): Promise<void> {
  const { client, log, file } = run;
  log(statement.split('\n', 1)[0] ?? '');
  // What runs CONCURRENTLY makes nobody wait while it waits itself, and cannot be part of a transaction.
  const concurrent = /\bCONCURRENTLY\b/.test(statement);
  await untilUnlocked(run, 'a table', async () => {
    if (!concurrent && file.migration.alters) {
      return inTransaction(client, async () => {
        await afterMaintenance(run);
        await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
        await client.query(statement);
      });
    }
    await client.query(`SET lock_timeout = '${concurrent ? 0 : LOCK_TIMEOUT}'`);
    await client.query(statement);
  });
}

async function anIndex(run: Run, step: IndexStep): Promise<void> {
  const { client, log } = run;
  await client.query('SET lock_timeout = 0');
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  log(`${step.index}: building it CONCURRENTLY`);
  const over = new AbortController();
  const telling = tellIndexProgress(run, { index: step.index, pid: rows[0]?.pid ?? 0 }, over.signal);
  try {
    for (const statement of statementsOf(step)) await client.query(statement);
  } finally {
    over.abort();
    await telling;
  }
}

async function inBatches(
  run: Run,
  { fill, of, batch }: BatchedStep,
  from: Progress,
  reached: (progress: Progress) => Promise<void>,
): Promise<void> {
  const { client, log, progressEvery } = run;
  const estimate = await client.query<{ rows: number }>(
    'SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = $1::regclass',
    [of],
  );
  const all = Math.max(estimate.rows[0]?.rows ?? 0, 0);
  await client.query(`SET lock_timeout = '${BATCH_LOCK_TIMEOUT}'`);
  const once = async (last: Progress): Promise<Progress | null> => {
    const { rows } = await client.query<{ rows: number; next: object | null }>(batch, [last.next]);
    const [result] = rows;
    if (!result?.next) return null;
    const progress = { next: result.next, rows: last.rows + result.rows };
    await reached(progress);
    return progress;
  };
  let last = from;
  let told = -Infinity;
  for (let next: Progress | null = from; next;) {
    last = next;
    if (performance.now() - told >= progressEvery) {
      told = performance.now();
      log(`${fill}: ${last.rows} of about ${Math.max(all, last.rows)} rows`);
    }
    next = await untilUnlocked(run, 'rows', () => inTransaction(client, () => once(last)));
  }
  log(`${fill}: ${last.rows} rows`);
}

async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // The first error tells more than a rollback's on a lost connection, which rolls back anyway.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Says which statement failed. */
async function explained<T>({ file, direction }: Run, index: number, work: () => Promise<T>): Promise<T> {
  return work().catch((cause: unknown) => {
    throw new MigrationError({ file, direction, index, cause });
  });
}

async function untilUnlocked<T>(run: Run, what: 'a table' | 'rows', work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + run.patience;
  for (let waiting = false; ; waiting = true) {
    try {
      return await work();
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || performance.now() > deadline) throw error;
      if (!waiting) run.log(`${run.file.name} waits for ${what} that others have locked`);
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
  return steps.map((step) => {
    const title = typeof step !== 'string' && 'fill' in step ? `-- in batches: ${step.fill}\n` : '';
    return `${title}${sqlOf(step)};`;
  });
}
