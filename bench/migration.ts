// Migrations on a full table in use: those that add the log of changes, counts and search documents, what each step
// takes and how long others wait for it. The first run is killed in the middle of its fill, the second goes on.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connect } from './connection.ts';
import { type Running, loadMigrator, runBuilt, startBuilt } from './built.ts';
import { administer } from './data/administer.ts';
import { generate } from './data/generate.ts';
import { type Usage, use } from './in-use.ts';
import { type Course, tellMigration } from './migration-report.ts';
import { MigrationSteps, type Step } from './migration-steps.ts';
import type { Options } from './options.ts';
import { type Progress, group } from './progress.ts';

/** The last migration before those that are measured. */
const BEFORE = '1763986400000-add-portal';

interface Wanted {
  /** A role that may create databases. */
  serverUrl: string;
  options: Options;
  /** Takes what has to be undone in the end, the last first. */
  undo: (() => Promise<void>)[];
}

interface Database {
  url: string;
  client: pg.Client;
}

/** @throws Error when a statement fails meanwhile, or when anything disagrees with the contacts afterwards. */
export async function measureMigration(
  { serverUrl, options, undo }: Wanted,
  progress: Progress,
): Promise<void> {
  const name = `contacts_bench_migration_${options.contacts}`;
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const drop = `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`;
  undo.push(async () => void (await administer(serverUrl, [drop])));
  await administer(serverUrl, [drop, `CREATE DATABASE ${name} TEMPLATE template0`]);
  await runBuilt('migrate', ['up', '--to', BEFORE], environment(url));
  progress.note(`database ${name}: generating ${group(options.contacts)} contacts as of ${BEFORE}`);
  await generate({ url, contacts: options.contacts, searched: false }, progress);

  const client = await connect(url);
  undo.push(() => client.end());
  const { Migrator } = await loadMigrator();
  const { pending } = await new Migrator({ url }).status();

  const { usage, course } = await inUse({ url, client }, options, progress);
  requireUnnoticed(usage, course.steps);
  await requireMigrated(client, progress);
  const secondsDown = await undone(url, pending.length, progress);
  tellMigration({ usage, course, secondsDown }, options);
}

async function inUse(
  database: Database,
  { contacts, seconds }: Options,
  progress: Progress,
): Promise<{ usage: Usage; course: Course }> {
  const held = await contactAt(database.client, Math.floor(contacts / 3));
  const usage = await use(database.url, held);
  try {
    return { usage, course: await migrated(database, { held, seconds }, progress) };
  } finally {
    await usage.stop();
  }
}

async function migrated(
  database: Database,
  { held, seconds }: { held: string; seconds: number },
  progress: Progress,
): Promise<Course> {
  progress.note(`in use as it was, ${seconds} s`);
  const start = performance.now();
  await sleep(seconds * 1000);
  const began = performance.now();
  const first = await brokenOff(database, held, progress);
  const brokenOffAt = await rowsKept(database.client);
  const second = new MigrationSteps();
  await running(database.url, second, progress).ended;
  second.end();
  const [wentOnAt] = second.filled;
  if (wentOnAt !== brokenOffAt)
    throw new Error(`Broken off after ${brokenOffAt} rows, the fill went on after ${wentOnAt}.`);
  const fold = await firstFold(database.client, progress);
  const ended = performance.now();
  progress.note(`in use as it is, ${seconds} s`);
  await sleep(seconds * 1000);
  return {
    before: { from: start, to: began },
    during: { from: began, to: ended },
    after: { from: ended, to: performance.now() },
    steps: [...first.done, ...second.done, fold],
    fill: { rows: second.filled.at(-1) ?? 0, brokenOffAt },
  };
}

const environment = (url: string): NodeJS.ProcessEnv => ({
  NODE_ENV: 'development',
  DATABASE_URL: url,
  DATABASE_DIRECT_URL: '',
});

function running(url: string, steps: MigrationSteps, progress: Progress): Running {
  const tell = (line: string): void => {
    steps.hear(line);
    progress.note(line);
  };
  return startBuilt('migrate', ['up'], { env: environment(url), tell });
}

/** A run that comes to a locked contact in the middle of its fill, and is killed there. */
async function brokenOff(
  { url, client }: Database,
  held: string,
  progress: Progress,
): Promise<MigrationSteps> {
  const steps = new MigrationSteps();
  await client.query('BEGIN');
  try {
    await client.query('SELECT FROM contact WHERE id = $1 FOR UPDATE', [held]);
    const run = running(url, steps, progress);
    const finished = run.ended.then(() => {
      throw new Error('The migration was over before it could be broken off.');
    });
    await Promise.race([finished, isWaitedFor(client)]);
    run.kill();
    await run.ended;
    steps.end(' (killed)');
    progress.note('killed: it is run again');
    return steps;
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Until another connection waits for this one's transaction. */
async function isWaitedFor(client: pg.Client): Promise<void> {
  for (let waiting = false; !waiting; await sleep(50)) {
    const { rows } = await client.query<{ waiting: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
         AS waiting`,
    );
    waiting = rows[0]?.waiting === true;
  }
}

/** How many rows the fill had gone through when it was broken off. */
async function rowsKept(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(
    'SELECT COALESCE(sum(rows), 0)::float8 AS rows FROM migration_progress',
  );
  return rows[0]?.rows ?? 0;
}

async function contactAt(client: pg.Client, place: number): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'SELECT id FROM contact ORDER BY created_at, id OFFSET $1 LIMIT 1',
    [place],
  );
  return rows[0]?.id ?? '';
}

/** What the next release begins with: nobody has folded what was written since the log began. */
async function firstFold(client: pg.Client, progress: Progress): Promise<Step> {
  progress.begin('first fold');
  const from = performance.now();
  const { rows } = await client.query<{ changes: number }>(
    'SELECT contact_fold_changes()::float8 AS changes',
  );
  const changes = `${group(rows[0]?.changes ?? 0)} changes`;
  progress.done(changes);
  return { title: `first fold, ${changes}`, from, to: performance.now() };
}

function requireUnnoticed({ failures }: Usage, steps: readonly Step[]): void {
  const [first] = failures;
  if (!first) return;
  const during = steps.find(({ from, to }) => first.at >= from && first.at < to)?.title ?? 'no step';
  throw new Error(`${failures.length} statements failed; the first during ${during}: ${first.message}`);
}

/** Questions whose answer is 0 when everything agrees; of changes that are not folded yet, too. */
const AGREEMENT: Record<string, string> = {
  'counts that are wrong': 'SELECT count(*) FROM contact_count_faults()',
  'totals that count(*) contradicts': `
    SELECT count(*) FROM (
      SELECT ARRAY[contact_type, source] AS slice, count(*) AS n FROM contact GROUP BY CUBE (contact_type, source)
    ) AS counted WHERE contact_total(slice) IS DISTINCT FROM n`,
  'contacts without their document, or documents without their contact': `
    SELECT count(*) FROM contact c FULL JOIN contact_search s ON s.contact_id = c.id AND s.created_at = c.created_at
    WHERE c.id IS NULL OR s.document IS DISTINCT FROM contact_document(c.full_name, c.email)`,
  'invalid indexes': 'SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)',
};

async function requireMigrated(client: pg.Client, progress: Progress): Promise<void> {
  progress.begin('everything agrees');
  await client.query(`SET work_mem = '256MB'`);
  for (const [what, question] of Object.entries(AGREEMENT)) {
    const { rows } = await client.query<{ count: string }>(question);
    if (rows[0]?.count !== '0') throw new Error(`${rows[0]?.count} ${what}.`);
  }
  progress.done();
}

/** Seconds that it took. */
async function undone(url: string, steps: number, progress: Progress): Promise<number> {
  const from = performance.now();
  const tell = (line: string): void => progress.note(line);
  await startBuilt('migrate', ['down', '--steps', String(steps)], { env: environment(url), tell }).ended;
  return (performance.now() - from) / 1000;
}
