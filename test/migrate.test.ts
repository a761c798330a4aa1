// The migration runner on a real database, with migrations of its own.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { MigrationError } from '../src/database/migration-error.js';
import type { Migration } from '../src/database/migration.js';
import { Migrator } from '../src/database/migrator.js';
import { checkSchema, schemaRefusal, schemaWarning } from '../src/database/schema-check.js';
import { ScratchDatabase } from './support/scratch-database.js';

const FIRST = '1700000000001-create-a';
const SECOND = '1700000000002-create-b';
const THIRD = '1700000000003-create-c';

const table = (name: string): Migration => ({
  up: [`CREATE TABLE ${name} ()`],
  down: [`DROP TABLE ${name}`],
});

let scratch: ScratchDatabase;
let client: pg.Client;
beforeAll(async () => {
  scratch = await ScratchDatabase.create();
  client = scratch.client;
});
beforeEach(() => scratch.clear());
afterAll(() => scratch.drop());

describe('up', () => {
  it('applies what is pending, in order and once', async () => {
    const migrator = await scratch.migratorOf({ [SECOND]: table('b'), [FIRST]: table('a') });
    expect(await migrator.up()).toEqual([FIRST, SECOND]);
    expect(await scratch.tables()).toEqual(['a', 'b', 'migration']);
    expect(scratch.lines).toEqual([
      expect.stringMatching(/^Applied 1700000000001-create-a in \d+ ms$/),
      expect.stringMatching(/^Applied 1700000000002-create-b in \d+ ms$/),
    ]);
    expect(await migrator.up()).toEqual([]);
    expect(scratch.lines.at(-1)).toBe('Nothing to apply.');
  });

  it('stops after the migration named by `to`', async () => {
    const migrator = await scratch.migratorOf({
      [FIRST]: table('a'),
      [SECOND]: table('b'),
      [THIRD]: table('c'),
    });
    expect(await migrator.up({ to: SECOND })).toEqual([FIRST, SECOND]);
    await expect(migrator.up({ to: 'missing' })).rejects.toThrow('No migration is named missing.');
  });

  it('prints the SQL of a dry run and writes nothing', async () => {
    const migrator = await scratch.migratorOf({ [FIRST]: table('a') });
    expect(await migrator.up({ dryRun: true })).toEqual([FIRST]);
    expect(scratch.lines.join('\n')).toContain('CREATE TABLE a ();');
    expect(await scratch.tables()).toEqual([]);
  });

  it('rolls a failing migration back whole and keeps the earlier ones', async () => {
    const broken = { up: ['CREATE TABLE b ()', 'CREATE TABLE c (x nonsense)'], down: ['DROP TABLE b'] };
    const migrator = await scratch.migratorOf({ [FIRST]: table('a'), [SECOND]: broken, [THIRD]: table('d') });
    const error = await migrator.up().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MigrationError);
    expect((error as MigrationError).message).toBe(
      `${SECOND} (up) failed and was rolled back.\n\nStatement 2 of 2:\nCREATE TABLE c (x nonsense)\n\n` +
        'PostgreSQL: type "nonsense" does not exist (42704)',
    );
    expect(await scratch.tables()).toEqual(['a', 'migration']);
    expect((await migrator.status()).pending).toEqual([SECOND, THIRD]);
  });

  it('refuses when an applied migration has changed', async () => {
    await (await scratch.migratorOf({ [FIRST]: table('a') })).up();
    const migrator = await scratch.migratorOf({ [FIRST]: table('changed'), [SECOND]: table('b') });
    await expect(migrator.up()).rejects.toThrow(`Changed after it was applied: ${FIRST}.`);
    expect(await migrator.status()).toMatchObject({ changed: [FIRST], pending: [SECOND] });
    expect(await scratch.tables()).toEqual(['a', 'migration']);
  });

  it('applies a migration merged late, and status tells it apart', async () => {
    await (await scratch.migratorOf({ [SECOND]: table('b') })).up();
    const migrator = await scratch.migratorOf({
      [FIRST]: table('a'),
      [SECOND]: table('b'),
      [THIRD]: table('c'),
    });
    expect((await migrator.status()).migrations.map(({ state, late }) => [state, late])).toEqual([
      ['pending', true],
      ['applied', false],
      ['pending', false],
    ]);
    expect(await migrator.up()).toEqual([FIRST, THIRD]);
    expect(await migrator.down({ steps: 2 })).toEqual([THIRD, FIRST]);
  });

  it('runs each migration once when two runs meet', async () => {
    const slow = { up: ['SELECT pg_sleep(3)', 'CREATE TABLE a ()'], down: ['DROP TABLE a'] };
    const migrator = await scratch.migratorOf({ [FIRST]: slow, [SECOND]: table('b') });
    const runs = await Promise.all([migrator.up(), migrator.up()]);
    expect(runs.flat()).toEqual([FIRST, SECOND]);
    expect(scratch.lines).toContain('Waiting: another migration run is at work on this database.');
  });

  it('refuses a file without statements in both directions, or with a name out of order', async () => {
    const half = await scratch.migratorOf({ [FIRST]: { up: ['SELECT 1'], down: [] } });
    await expect(half.up()).rejects.toThrow(`${FIRST}.ts must export a migration with statements in both`);
    const misnamed = await scratch.migratorOf({ 'create-a': table('a') });
    await expect(misnamed.up()).rejects.toThrow(/Not a migration's name .*: create-a\.ts/);
  });
});

describe('a migration outside a transaction', () => {
  const concurrent: Migration = {
    withoutTransaction: 'the index is built without holding up writes',
    up: ['CREATE INDEX CONCURRENTLY a_x_ix ON a (x)'],
    down: ['DROP INDEX CONCURRENTLY a_x_ix'],
  };
  const withColumn: Migration = { up: ['CREATE TABLE a (x text)'], down: ['DROP TABLE a'] };

  it('says why, and may build an index concurrently while a second run waits', async () => {
    const migrator = await scratch.migratorOf({
      [FIRST]: withColumn,
      [SECOND]: { ...concurrent, up: ['SELECT pg_sleep(0.5)', ...concurrent.up] },
    });
    const runs = await Promise.all([migrator.up(), migrator.up()]);
    expect(runs).toContainEqual([FIRST, SECOND]);
    expect(scratch.lines).toContain(
      `${SECOND} runs outside a transaction: the index is built without holding up writes`,
    );
    expect(await migrator.down({ steps: 2 })).toEqual([SECOND, FIRST]);
  });

  it('keeps its earlier statements when it fails, and says so', async () => {
    const broken = { ...concurrent, up: ['CREATE TABLE b ()', 'CREATE TABLE b ()'] };
    const migrator = await scratch.migratorOf({ [FIRST]: broken });
    await expect(migrator.up()).rejects.toThrow(
      'failed outside a transaction: the statements before it stay, and the next run goes on from here',
    );
    expect(await scratch.tables()).toEqual(['b', 'migration', 'migration_progress']);
    expect((await migrator.status()).pending).toEqual([FIRST]);
  });
});

describe('down', () => {
  it('undoes the last one, or as many as asked', async () => {
    const migrator = await scratch.migratorOf({
      [FIRST]: table('a'),
      [SECOND]: table('b'),
      [THIRD]: table('c'),
    });
    await migrator.up();
    expect(await migrator.down({ dryRun: true })).toEqual([THIRD]);
    expect(await scratch.tables()).toEqual(['a', 'b', 'c', 'migration']);
    expect(await migrator.down()).toEqual([THIRD]);
    expect(await migrator.down({ steps: 5 })).toEqual([SECOND, FIRST]);
    expect(await scratch.tables()).toEqual(['migration']);
    expect(await migrator.down()).toEqual([]);
    expect(scratch.lines.at(-1)).toBe('Nothing to undo.');
  });

  it('refuses what only a newer release can undo, and undoes nothing', async () => {
    await (await scratch.migratorOf({ [FIRST]: table('a'), [SECOND]: table('b') })).up();
    const older = await scratch.migratorOf({ [FIRST]: table('a') });
    await expect(older.down({ steps: 2 })).rejects.toThrow(`${SECOND} cannot be undone`);
    expect(await scratch.tables()).toEqual(['a', 'b', 'migration']);
  });
});

describe('the schema check', () => {
  it('refuses what is behind, with the command that mends it, and warns of what the next release has brought up', async () => {
    const release = await scratch.folder({ [FIRST]: table('a'), [SECOND]: table('b') });
    const older = await scratch.folder({ [FIRST]: table('a') });
    const migrator = new Migrator({ url: scratch.url, directory: release, log: () => undefined });
    const check = (directory: string) =>
      checkSchema({ query: async (sql) => (await client.query(sql)).rows }, directory);

    const before = await check(release);
    expect(before).toEqual({ state: 'older', pending: [FIRST, SECOND], unknown: [] });
    expect(schemaRefusal(before)).toBe(
      `The database lacks 2 migrations (${FIRST}, ${SECOND}): run \`npx nest start migrate -- up\`` +
        ' (`node dist/migrate.js up` in the image), then start again.',
    );

    await migrator.up();
    const current = await check(release);
    expect([schemaRefusal(current), schemaWarning(current)]).toEqual([null, null]);

    const newer = await check(older);
    expect(newer).toEqual({ state: 'newer', pending: [], unknown: [SECOND] });
    expect([schemaRefusal(newer), schemaWarning(newer)]).toEqual([
      null,
      `The database is newer than this release, which does not know 1 migration (the newest is ${SECOND}):` +
        ' the next release is about to replace it, or its migrations have to be undone.',
    ]);
    const other = await check(await scratch.folder({ [FIRST]: table('a'), [THIRD]: table('c') }));
    expect(other).toEqual({ state: 'newer', pending: [THIRD], unknown: [SECOND] });
    expect(schemaRefusal(other)).toMatch(/^The database lacks 1 migration /);
  });
});
