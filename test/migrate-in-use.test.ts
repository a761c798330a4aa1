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
beforeEach(() => scratch.clear());
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
    expect(await count('b')).toBe(95);
    expect(scratch.lines).toContain('copies of a: 95 rows');
    expect(await scratch.tables()).toEqual(['a', 'b', 'migration', 'trap']);
  });

  it('keeps the batches before a failure, and the next run goes on from there', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: copying });
    await client.query('UPDATE trap SET trap = 1');
    await expect(migrator.up()).rejects.toThrow('division by zero (22012)');
    expect(await count('b')).toBe(20);
    expect((await migrator.status()).pending).toEqual([FIRST]);

    await client.query('UPDATE trap SET trap = 0');
    expect(await migrator.up()).toEqual([FIRST]);
    expect(scratch.lines).toContain(`${FIRST} goes on at step 2, where it broke off`);
    expect(scratch.lines).toContain('copies of a: 75 rows');
    expect(await count('b')).toBe(95);
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
    expect(await count('b')).toBe(95);
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

async function onAnotherConnection(sql: string): Promise<unknown[]> {
  const other = new pg.Client({ connectionString: scratch.url });
  await other.connect();
  try {
    return (await other.query<object>(sql)).rows;
  } finally {
    await other.end();
  }
}

async function count(name: string): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${name}`);
  return rows[0]?.n ?? 0;
}
