// Migrations that broke off half way, and an operator who goes the other way from there.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Migration } from '../src/database/migration.js';
import type { Migrator } from '../src/database/migrator.js';
import { ScratchDatabase } from './support/scratch-database.js';

const BELOW = '1700000000001-below';
const ABOVE = '1700000000002-above';
/** Fails while the trap is set. */
const TRAPPED = 'SELECT 1 / (1 - trap) FROM trap';

let scratch: ScratchDatabase;
beforeAll(async () => {
  scratch = await ScratchDatabase.create();
});
beforeEach(async () => {
  await scratch.clear();
  await scratch.client.query('CREATE TABLE trap AS SELECT 0 AS trap');
});
afterAll(() => scratch.drop());

const trap = (value: number) => scratch.client.query('UPDATE trap SET trap = $1', [value]);

/** One makes a table, the other fills it, outside a transaction. */
function migrator(): Promise<Migrator> {
  const below: Migration = { up: ['CREATE TABLE b (x int)'], down: ['DROP TABLE b'] };
  const above: Migration = {
    withoutTransaction: 'it is to break off',
    up: ['INSERT INTO b VALUES (1)', TRAPPED],
    down: ['DELETE FROM b', TRAPPED],
  };
  return scratch.migratorOf({ [BELOW]: below, [ABOVE]: above });
}

test('what broke off begins anew once that on which it stands was undone and made again', async () => {
  const migrations = await migrator();
  await trap(1);
  await expect(migrations.up()).rejects.toThrow('division by zero');
  await trap(0);
  expect(await migrations.down({ dryRun: true })).toEqual([BELOW]);
  expect(await migrations.down()).toEqual([BELOW]);
  expect(await migrations.up()).toEqual([BELOW, ABOVE]);
  expect(await scratch.count('b')).toBe(1);
});

test('but a dry run of that changes nothing', async () => {
  const migrations = await migrator();
  await trap(1);
  await expect(migrations.up()).rejects.toThrow('division by zero');
  await migrations.down({ dryRun: true });
  await trap(0);
  expect(await migrations.up()).toEqual([ABOVE]);
  expect(scratch.lines).toContain(`${ABOVE} goes on at step 2, where it broke off`);
  expect(await scratch.count('b')).toBe(1);
});

test('what is half undone is not taken for applied', async () => {
  const migrations = await migrator();
  await migrations.up();
  await trap(1);
  await expect(migrations.down()).rejects.toThrow('division by zero');
  await expect(migrations.up()).rejects.toThrow(`${ABOVE} is half undone: run down again first`);
  await trap(0);
  expect(await migrations.down()).toEqual([ABOVE]);
  expect(await migrations.up()).toEqual([ABOVE]);
  expect(await scratch.count('b')).toBe(1);
});
