// Migrations of tables that are full and in use: they step back for others, fill in batches, and go on after a failure.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { MigrationError } from '../src/database/migration-error.js';
import type { Migration } from '../src/database/migration.js';
import { ScratchDatabase } from './support/scratch-database.js';
import { waitUntil } from './support/wait.js';

const FIRST = '1700000000001-create-a';

let scratch: ScratchDatabase;
let client: pg.Client;
beforeAll(async () => {
  scratch = await ScratchDatabase.create();
  client = scratch.client;
});
beforeEach(async () => {
  await client.query('ROLLBACK'); // of a test that failed half way
  await scratch.clear();
});
afterAll(() => scratch.drop());

describe('a table that others have locked', () => {
  const adding = (withoutTransaction?: string): Migration => ({
    withoutTransaction,
    up: ['ALTER TABLE a ADD x text'],
    down: ['ALTER TABLE a DROP x'],
  });

  beforeEach(async () => {
    await client.query('CREATE TABLE a ()');
  });

  it.each([
    ['in a transaction', undefined],
    ['outside one', 'it is tried'],
  ])('is asked for again and again, %s, and lets other statements through meanwhile', async (_, outside) => {
    const migrator = await scratch.migratorOf({ [FIRST]: adding(outside) });
    await client.query('BEGIN; LOCK TABLE a IN ACCESS SHARE MODE');
    const run = migrator.up();
    await waitUntil(async () => scratch.lines.includes(`${FIRST} waits for a table that others have locked`));
    // Waiting for its lock, the migration would be in front of this reader: it must step back.
    await onAnotherConnection('SELECT * FROM a');
    expect(await migrator.status()).toMatchObject({ pending: [FIRST] });
    await client.query('COMMIT');
    expect(await run).toEqual([FIRST]);
  });

  it.each([
    ['in a transaction', undefined],
    ['outside one', 'it is tried'],
  ])('is given up in the end, %s', async (_, outside) => {
    const migrator = await scratch.migratorOf({ [FIRST]: adding(outside) }, { patience: 0 });
    await client.query('BEGIN; LOCK TABLE a');
    await expect(migrator.up()).rejects.toThrow('canceling statement due to lock timeout (55P03)');
    await client.query('ROLLBACK');
    expect(await migrator.up()).toEqual([FIRST]);
  });
});

const altering: Migration = {
  alters: ['a'],
  up: ['ALTER TABLE a ADD x text'],
  down: ['ALTER TABLE a DROP x'],
};

const stepwise: Migration = { ...altering, withoutTransaction: 'as a full table would be' };
it.each([altering, stepwise])('waits for a vacuum, and holds nobody up: %j', async (migration) => {
  await client.query('CREATE TABLE a ()');
  const migrator = await scratch.migratorOf({ [FIRST]: migration });
  // The lock that a vacuum takes.
  await client.query('BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE');
  const run = migrator.up();
  const mode = `SELECT mode FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted`;
  await waitUntil(async () => (await onAnotherConnection(mode)).length > 0);
  expect(await onAnotherConnection(mode)).toEqual([{ mode: 'ShareUpdateExclusiveLock' }]);
  await onAnotherConnection('INSERT INTO a DEFAULT VALUES');
  await client.query('COMMIT');
  expect(await run).toEqual([FIRST]);
  expect(scratch.lines.at(-1)).toMatch(/^Applied /);
});

it('says what it waited for when a vacuum of the table it alters does not end', async () => {
  await client.query('CREATE TABLE a ()');
  const migrator = await scratch.migratorOf({ [FIRST]: altering }, { patience: 0 });
  await client.query('BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE');
  await expect(migrator.up()).rejects.toThrow(
    `${FIRST} (up) has to alter a, but a vacuum, an ANALYZE or an index build is at work on it: run it again later.`,
  );
});

describe('a step in batches', () => {
  /** Copies a into b, ten rows a batch. */
  const copy = {
    fill: 'copies of a',
    of: 'a',
    batch: `WITH batch AS (
              SELECT x FROM a WHERE x > coalesce(($1::jsonb ->> 'x')::int, 0) ORDER BY x LIMIT 10
            ), copied AS (INSERT INTO b SELECT x, 100 / (x - 25 * (SELECT trap FROM trap)) FROM batch)
            SELECT count(*)::int AS rows, CASE WHEN count(*) > 0 THEN jsonb_build_object('x', max(x)) END AS next FROM batch`,
  };
  const copying: Migration = {
    withoutTransaction: 'rows are copied in batches',
    up: ['CREATE TABLE b (x int PRIMARY KEY, y int)', copy, 'ALTER TABLE b ADD z text'],
    down: ['DROP TABLE b'],
  };

  beforeEach(async () => {
    await client.query(`CREATE TABLE a AS SELECT x FROM generate_series(1, 95) x; ANALYZE a;
                        CREATE TABLE trap AS SELECT 0 AS trap`);
  });

  it('runs to the end of the table and leaves nothing of its own behind', async () => {
    expect(await (await scratch.migratorOf({ [FIRST]: copying })).up()).toEqual([FIRST]);
    expect(await scratch.count('b')).toBe(95);
    expect(scratch.lines).toContain('copies of a: 95 rows');
    expect(await scratch.tables()).toEqual(['a', 'b', 'migration', 'trap']);
  });

  it('keeps the batches before a failure, and the next run goes on from there', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: copying });
    await client.query('UPDATE trap SET trap = 1');
    await expect(migrator.up()).rejects.toThrow('division by zero (22012)');
    expect(await scratch.count('b')).toBe(20);
    expect((await migrator.status()).pending).toEqual([FIRST]);

    await client.query('UPDATE trap SET trap = 0');
    expect(await migrator.up()).toEqual([FIRST]);
    expect(scratch.lines).toContain(`${FIRST} goes on at step 2, where it broke off`);
    expect(scratch.lines).toContain('copies of a: 20 of about 95 rows');
    expect(scratch.lines).toContain('copies of a: 95 rows');
    expect(await scratch.count('b')).toBe(95);
    expect(await scratch.tables()).toEqual(['a', 'b', 'migration', 'trap']);
  });

  it('goes on after its connection was lost', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: copying });
    await client.query('BEGIN; INSERT INTO a VALUES (0); LOCK TABLE trap');
    const run = migrator.up().catch((error: unknown) => error);
    await waitUntil(async () => (await terminated('contacts-migrate')) > 0);
    expect(await run).toBeInstanceOf(MigrationError);
    await client.query('ROLLBACK');
    expect(await migrator.up()).toEqual([FIRST]);
    expect(await scratch.count('b')).toBe(95);
  });

  it('tells how far it is', async () => {
    await (await scratch.migratorOf({ [FIRST]: copying }, { progressEvery: 0 })).up();
    const told = Array.from({ length: 10 }, (_, batch) => `copies of a: ${batch * 10} of about 95 rows`);
    expect(scratch.lines.filter((line) => line.includes('about'))).toEqual([
      ...told,
      'copies of a: 95 of about 95 rows',
    ]);
  });

  it('lets go of the rows it has while it waits for one that others have', async () => {
    const locking = { ...copy, batch: copy.batch.replace('LIMIT 10', 'LIMIT 10 FOR UPDATE') };
    const migrator = await scratch.migratorOf({
      [FIRST]: { ...copying, up: copying.up.toSpliced(1, 1, locking) },
    });
    await client.query('BEGIN; UPDATE a SET x = x WHERE x = 5');
    const run = migrator.up();
    await waitUntil(async () => scratch.lines.includes(`${FIRST} waits for rows that others have locked`));
    // Another process of the service, with the row that the batch locked first.
    await onAnotherConnection('UPDATE a SET x = x WHERE x = 1 RETURNING x');
    await client.query('COMMIT');
    expect(await run).toEqual([FIRST]);
    expect(await scratch.count('b')).toBe(95);
  });

  it('is printed by a dry run', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: copying });
    await migrator.up({ dryRun: true });
    expect(scratch.lines.join('\n')).toContain('-- in batches: copies of a\nWITH batch AS (');
    expect(await scratch.tables()).toEqual(['a', 'trap']);
  });

  /** Ends the migration's connection if it waits for a lock; how many were ended. */
  const terminated = async (application: string): Promise<number> => {
    // Not inside the transaction of `client`, which would see the same activity for ever.
    const ended = await onAnotherConnection(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = '${application}' AND datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return ended.length;
  };
});

describe('an index of a table in use', () => {
  const indexing: Migration = {
    withoutTransaction: 'the index is built while rows are written',
    up: [{ index: 'a_x_ix', on: 'a (x)' }],
    down: ['DROP INDEX CONCURRENTLY a_x_ix'],
  };
  const BUILDING = 'FROM pg_stat_progress_create_index WHERE datname = current_database()';

  beforeEach(async () => {
    await client.query('CREATE TABLE a AS SELECT x FROM generate_series(1, 95) x');
  });

  it('tells how far it is', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: indexing }, { progressEvery: 20 });
    await client.query('BEGIN; INSERT INTO a VALUES (0)');
    const run = migrator.up();
    const told = 'a_x_ix: waiting for writers before build, 0 of 1 transactions';
    await waitUntil(async () => scratch.lines.includes(told));
    await client.query('COMMIT');
    expect(await run).toEqual([FIRST]);
  });

  it('is built anew by the next run when the first was broken off', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: indexing });
    await client.query('BEGIN; INSERT INTO a VALUES (0)');
    const run = migrator.up().catch((error: unknown) => error);
    const waiting = `SELECT pid ${BUILDING} AND phase LIKE 'waiting for writers%'`;
    await waitUntil(async () => (await onAnotherConnection(waiting)).length > 0);
    await onAnotherConnection(`SELECT pg_terminate_backend(pid, 5000) ${BUILDING}`);
    expect(await run).toBeInstanceOf(MigrationError);
    await client.query('COMMIT');
    expect(await indexes()).toEqual([{ name: 'a_x_ix', valid: false }]);

    expect(await migrator.up()).toEqual([FIRST]);
    expect(await indexes()).toEqual([{ name: 'a_x_ix', valid: true }]);
  });

  it('is printed by a dry run', async () => {
    await (await scratch.migratorOf({ [FIRST]: indexing })).up({ dryRun: true });
    expect(scratch.lines.join('\n')).toContain(
      'DROP INDEX CONCURRENTLY IF EXISTS a_x_ix;\nCREATE INDEX CONCURRENTLY a_x_ix ON a (x);',
    );
  });

  const indexes = async (): Promise<unknown[]> =>
    (
      await client.query<object>(
        `SELECT indexrelid::regclass::text AS name, indisvalid AS valid FROM pg_index WHERE indrelid = 'a'::regclass`,
      )
    ).rows;
});

async function onAnotherConnection(sql: string): Promise<unknown[]> {
  const other = new pg.Client({ connectionString: scratch.url });
  await other.connect();
  try {
    return (await other.query<object>(sql)).rows;
  } finally {
    await other.end();
  }
}
