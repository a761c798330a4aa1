// No migration holds the service up, or takes from the release that still runs what it reads, unless it says why.
import { describe, expect, test } from '@jest/globals';
import type { Migration, MigrationStep } from '../src/database/migration.js';
import { loadMigrations } from '../src/database/migration-files.js';
import { migrationFaults } from './support/migration-rules.js';

/** Frozen migrations, and why they may. */
const EXEMPT: Record<string, Partial<Migration>> = {
  '1764100120000-drop-contact-search-text': { removes: 'no release ever read search_text' },
};

const down = ['SELECT 1'];

function faultsOf(up: readonly MigrationStep[], more: Partial<Migration> = {}): Promise<string[]> {
  return migrationFaults([{ name: 'it', migration: { up, down, ...more } }]);
}

test('every migration of ours keeps the rules', async () => {
  const migrations = (await loadMigrations()).map(({ name, migration }) => ({
    name,
    migration: { ...migration, ...EXEMPT[name] },
  }));
  expect(migrations.length).toBeGreaterThan(5);
  expect(Object.keys(EXEMPT).filter((name) => !migrations.some((file) => file.name === name))).toEqual([]);
  expect(await migrationFaults(migrations)).toEqual([]);
});

describe('refuses what holds a table up', () => {
  test.each<[string, string, string?]>([
    ['a volatile default', 'ADD COLUMN a uuid DEFAULT gen_random_uuid()', 'ADD COLUMN a uuid'],
    ['a function nobody knows', 'ADD COLUMN a text DEFAULT (own_function(1))', "ADD COLUMN a text DEFAULT 'x'"],
    ['a volatile default in depth', "ADD COLUMN a text NOT NULL DEFAULT 'a' || lower(random()::text)", "ADD COLUMN a text NOT NULL DEFAULT 'a' || lower('B')"],
    ['the time of each row', 'ADD COLUMN a timestamptz DEFAULT clock_timestamp()', 'ADD COLUMN a timestamptz NOT NULL DEFAULT now()'],
    ['a serial column', 'ADD COLUMN a bigserial', 'ADD COLUMN a bigint'],
    ['an identity column', 'ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY', 'ADD COLUMN a bigint'],
    ['a stored column', 'ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED', 'ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) VIRTUAL'],
    ['a column that no row has', 'ADD COLUMN a text NOT NULL', "ADD COLUMN a text NOT NULL DEFAULT ''"],
    ['a column with a check', "ADD COLUMN a text CHECK (a <> '')", 'ADD COLUMN a text'],
    ['a column with an index', 'ADD COLUMN a text UNIQUE', 'ADD COLUMN a text'],
    ['a filled column with a foreign key', "ADD COLUMN a text DEFAULT 'x' REFERENCES company (id)", 'ADD COLUMN a text REFERENCES company (id)'],
    ['SET NOT NULL', 'ALTER COLUMN a SET NOT NULL', 'ALTER COLUMN a DROP NOT NULL'],
    ['another type', 'ALTER COLUMN a TYPE bigint', 'ALTER COLUMN a SET DEFAULT 1'],
    ['a CHECK', "ADD CONSTRAINT c_ck CHECK (a <> '')", "ADD CONSTRAINT c_ck CHECK (a <> '') NOT VALID"],
    ['a foreign key', 'ADD CONSTRAINT c_fk FOREIGN KEY (a) REFERENCES b (id)', 'ADD CONSTRAINT c_fk FOREIGN KEY (a) REFERENCES b (id) NOT VALID'],
    ['UNIQUE', 'ADD CONSTRAINT c_uq UNIQUE (a)', 'ADD CONSTRAINT c_uq UNIQUE USING INDEX c_uq'],
    ['a primary key', 'ADD PRIMARY KEY (a)', 'ADD PRIMARY KEY USING INDEX c_pk'],
    ['EXCLUDE', 'ADD CONSTRAINT c_ex EXCLUDE USING gist (a WITH &&)'],
    ['another tablespace', 'SET TABLESPACE fast', 'SET (fillfactor = 90)'],
    ['UNLOGGED', 'SET UNLOGGED'],
  ])('%s', async (_what, refused, accepted = 'SET (fillfactor = 90)') => {
    expect(await faultsOf([`ALTER TABLE contact ${refused}`])).toEqual([expect.stringMatching(/^it locks: .*\w/)]);
    expect(await faultsOf([`ALTER TABLE contact ${accepted}`])).toEqual([]);
    // Nobody uses a table yet that the same migration makes.
    expect(await faultsOf(['CREATE TABLE contact (a text)', `ALTER TABLE contact ${refused}`])).toEqual([]);
  }); // prettier-ignore

  test.each<[string, string?]>([
    ['CREATE INDEX i ON contact (a)', 'CREATE INDEX CONCURRENTLY i ON contact (a)'],
    ['CREATE UNIQUE INDEX i ON public.contact (a)', 'CREATE TABLE contact (a int); CREATE UNIQUE INDEX i ON contact (a)'],
    ['VACUUM FULL contact', 'VACUUM (ANALYZE) contact'],
    ['CLUSTER contact USING contact_created_ix', 'ANALYZE contact'],
    ['REINDEX TABLE contact', 'REINDEX TABLE CONCURRENTLY contact'],
    ['UPDATE contact SET a = 1', 'CREATE TABLE contact (a int); UPDATE contact SET a = 1'],
    ['DELETE FROM contact', 'CREATE TABLE contact (a int); DELETE FROM contact'],
    ['ALTER TABLE contact ADD COLUMN a text; INSERT INTO t SELECT id FROM company', 'INSERT INTO t SELECT id FROM company'],
    ['ALTER TABLE contact ADD COLUMN a text; SELECT count(*) FROM contact', "ALTER TABLE contact ADD COLUMN a text; INSERT INTO t VALUES ('x')"],
    ['LOCK TABLE contact IN SHARE MODE', 'LOCK TABLE contact IN SHARE UPDATE EXCLUSIVE MODE'],
    ['LOCK TABLE company, contact', 'LOCK TABLE contact IN ROW EXCLUSIVE MODE'],
    ['REFRESH MATERIALIZED VIEW v', 'REFRESH MATERIALIZED VIEW CONCURRENTLY v'],
    ['DO $$ BEGIN PERFORM 1; END $$', 'SELECT 1'],
    ['CREATE TABLE IF NOT EXISTS contact (a int); CREATE INDEX i ON contact (a)'],
    ["/* no CONCURRENTLY */ CREATE INDEX i -- CONCURRENTLY\n ON contact ((a || 'CONCURRENTLY'))"],
  ])('%s', async (refused, accepted = 'SELECT 1') => {
    expect((await faultsOf([refused]))[0]).toMatch(/^it locks: /);
    expect(await faultsOf([accepted])).toEqual([]);
  }); // prettier-ignore

  test('and is not misled by what only looks like it', async () => {
    const body = `BEGIN ALTER TABLE contact ALTER a TYPE bigint; RETURN NULL; END`;
    expect(
      await faultsOf([
        `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ ${body} $x$`,
        `COMMENT ON TABLE contact IS 'CREATE INDEX i ON contact (a); VACUUM FULL'`,
        `SELECT 1 -- DROP TABLE contact`,
        { index: 'i', on: 'contact (a)' },
        { fill: 'a', of: 'contact', batch: 'UPDATE contact SET a = 1 WHERE id = $1 RETURNING 1 AS rows' },
      ]),
    ).toEqual([]);
  });

  test('SET NOT NULL is accepted once a validated check proves it', async () => {
    const add = 'ALTER TABLE contact ADD CONSTRAINT a_ck CHECK (a IS NOT NULL) NOT VALID';
    const validate = 'ALTER TABLE contact VALIDATE CONSTRAINT a_ck';
    const set = 'ALTER TABLE contact ALTER a SET NOT NULL, DROP CONSTRAINT a_ck';
    const run = (...steps: string[][]): Promise<string[]> =>
      migrationFaults(steps.map((up, at) => ({ name: `m${at}`, migration: { up, down } })));
    expect(await run([add], [validate], [set])).toEqual([]);
    expect(await run([add], [set])).toEqual([expect.stringContaining('m1 locks: SET NOT NULL')]);
    expect(await run([add], [validate], [set.replace('ALTER a', 'ALTER b')])).toHaveLength(1);
    expect(await run([add], [validate], ['ALTER TABLE contact DROP CONSTRAINT a_ck'], [set])).toHaveLength(1);
    // The lock that adding takes lasts as long as the transaction: all of the validation, too.
    expect(await run([add, validate])).toEqual([
      expect.stringContaining('m0 locks: VALIDATE CONSTRAINT a_ck'),
    ]);
    expect(await faultsOf([add, validate], { withoutTransaction: 'it validates' })).toEqual([]);
  });
});

describe('refuses what takes away what the previous release reads', () => {
  test.each<[string, string?]>([
    ['ALTER TABLE contact DROP COLUMN a', 'CREATE TABLE t (a int); ALTER TABLE t DROP COLUMN a'],
    ['ALTER TABLE contact RENAME COLUMN a TO b', 'CREATE TABLE t (a int); ALTER TABLE t RENAME a TO b'],
    ['ALTER TABLE contact RENAME TO person'],
    ['ALTER TABLE contact SET SCHEMA archive'],
    ['DROP TABLE contact', 'CREATE TABLE t (); DROP TABLE t'],
    ['DROP TABLE IF EXISTS public.contact CASCADE'],
    ['DROP VIEW v', 'CREATE VIEW v AS SELECT 1; DROP VIEW v'],
    ['DROP FUNCTION f(text)', 'DROP TRIGGER t ON contact'],
    ['DROP TYPE t', 'DROP INDEX i'],
    ['TRUNCATE contact', 'CREATE TABLE t AS SELECT 1; TRUNCATE t'],
  ])('%s', async (refused, accepted = 'SELECT 1') => {
    expect(await faultsOf([refused])).toEqual([expect.stringMatching(/^it removes: \w/)]);
    expect(await faultsOf([accepted])).toEqual([]);
  });
});

describe('a migration that says why', () => {
  const index = 'CREATE INDEX i ON company (a)';

  test('may', async () => {
    expect(await faultsOf([index], { locks: 'a table of ten rows' })).toEqual([]);
    expect(await faultsOf(['DROP TABLE a'], { removes: 'release 1.4 was the last to read it' })).toEqual([]);
  });

  test('may no more than that, and only while there is something to say', async () => {
    expect(await faultsOf([index], { removes: 'x' })).toEqual([
      expect.stringContaining('it locks: CREATE INDEX i'),
      'it says why it removes, but nothing in it does.',
    ]);
  });
});
