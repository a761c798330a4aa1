// The migrations as a whole: the schema they make, undoing them, the entities that fit it, and the command.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { dataSourceOptions } from '../src/data-source.js';
import { findDrift } from '../src/database/drift.js';
import { writeMigration } from '../src/database/generate.js';
import { loadMigrations } from '../src/database/migration-files.js';
import { sqlOf } from '../src/database/migration.js';
import { Migrator } from '../src/database/migrator.js';
import { createTestDatabase, type TestDatabase } from './support/database.js';
import { dumpSchema } from './support/schema-dump.js';

const SNAPSHOT = fileURLToPath(new URL('./snapshots/schema.sql', import.meta.url));
const UPDATE = 'UPDATE_SCHEMA=1 npm test -- test/schema.test.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(async () => {
  await database.drop();
});

describe('the migrations', () => {
  it('make the schema committed in test/snapshots/schema.sql', async () => {
    const dump = await dumpSchema(database.url);
    if (process.env.UPDATE_SCHEMA) await writeFile(SNAPSHOT, dump);
    const committed = (await readFile(SNAPSHOT, 'utf8').catch(() => '')).replaceAll('\r\n', '\n');
    try {
      expect(dump).toBe(committed);
    } catch (error) {
      throw new Error(`The schema changed. If that is meant, run \`${UPDATE}\` and commit the file.`, {
        cause: error,
      });
    }
  });

  it('all say how to undo them', async () => {
    const files = await loadMigrations();
    expect(files.length).toBeGreaterThan(0);
    for (const { migration } of files) expect(migration.down.map(sqlOf).join('').trim()).not.toBe('');
  });

  it('leave only their own table and the extensions when undone, and the same schema when applied again', async () => {
    const before = await dumpSchema(database.url);
    const migrator = new Migrator({ url: database.url, log: () => undefined });

    await migrator.down({ steps: 1_000 });
    const bare = (await dumpSchema(database.url)).replaceAll(/^EXTENSION .*\n+/gm, '');
    expect(bare.match(/^(TABLE \w+|CREATE .*|SEQUENCE .*|VIEW .*|TYPE .*)/gm)).toEqual(['TABLE migration']);

    await migrator.up();
    expect(await dumpSchema(database.url)).toBe(before);
  });

  it('can each be undone and applied again by themselves', async () => {
    const migrator = new Migrator({ url: database.url, log: () => undefined });
    const dumps: string[] = [];
    const names = (await loadMigrations()).map(({ name }) => name);
    for (const name of names.toReversed()) {
      dumps.push(await dumpSchema(database.url));
      expect(await migrator.down()).toEqual([name]);
    }
    for (const name of names) {
      expect(await migrator.up({ to: name })).toEqual([name]);
      expect(await dumpSchema(database.url)).toBe(dumps.pop());
    }
  });
});

describe('the entities', () => {
  it('agree with the schema (npx nest start migrate -- generate --check)', async () => {
    expect((await drift()).up).toEqual([]);
  });

  it.each([
    ['a column they lack', 'ALTER TABLE contact ADD surplus text', /DROP COLUMN "surplus"/],
    ['a column the schema lacks', 'ALTER TABLE contact DROP title', /ADD "title" text/],
    ['another type', 'ALTER TABLE company ALTER employee_count TYPE bigint', /ADD "employee_count" integer/],
    [
      'another default',
      `ALTER TABLE contact ALTER source SET DEFAULT 'other'`,
      /"source" SET DEFAULT 'manual'/,
    ],
    ['another nullability', 'ALTER TABLE contact ALTER phone SET NOT NULL', /"phone" DROP NOT NULL/],
    ['a missing table', 'DROP TABLE api_key', /CREATE TABLE "api_key"/],
  ])('show %s as drift, and the generated migration mends it', async (_case, change, statement) => {
    const changed = await createTestDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'contacts-drift-'));
    try {
      await run(changed.url, change);
      const found = await drift(changed.url);
      expect(found.up.join('\n')).toMatch(statement);

      await run(changed.url, 'DELETE FROM migration');
      await writeMigration('mend-drift', found, { directory: folder });
      const migrator = new Migrator({ url: changed.url, directory: folder, log: () => undefined });
      await migrator.up();
      expect((await drift(changed.url)).up).toEqual([]);
      await migrator.down();
      expect((await drift(changed.url)).up).toEqual(found.up);
    } finally {
      await rm(folder, { recursive: true });
      await changed.drop();
    }
  });
});

describe('the command', () => {
  it('answers by exit code, and status --json with nothing else on stdout', async () => {
    await run(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const names = (await loadMigrations()).map(({ name }) => name);
    const behind = await command('status', '--json');
    expect(behind.code).toBe(1);
    expect(JSON.parse(behind.stdout)).toMatchObject({
      state: 'older',
      pending: names,
      unknown: [],
      changed: [],
    });

    expect(await command('up')).toMatchObject({ code: 0, stderr: '' });
    const current = await command('status', '--json');
    expect(current.code).toBe(0);
    expect(JSON.parse(current.stdout)).toEqual({
      state: 'current',
      pending: [],
      unknown: [],
      changed: [],
      migrations: names.map((name) => ({
        name,
        state: 'applied',
        late: false,
        runAt: expect.stringMatching(/Z$/),
        durationMs: expect.any(Number),
      })),
    });
    const agreed = { code: 0, stdout: 'Entities and schema agree.\n', stderr: '' };
    expect(await command('generate', '--check')).toEqual(agreed);
    await run(database.url, 'ALTER TABLE contact ADD surplus text');
    expect(await command('generate', '--check')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('ALTER TABLE "contact" DROP COLUMN "surplus";'),
    });
  });

  it.each([[['sideways']], [['up', '--json']], [['down', '--steps', '0']], [['generate', 'Nonsense']]])(
    'shows its usage and exits with 2 on %j',
    async (args) => {
      const { code, stdout, stderr } = await command(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('Usage: npx nest start migrate -- <command>');
    },
  );
});

function drift(url = database.url) {
  return findDrift(dataSourceOptions({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }));
}

async function run(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Runs src/migrate.ts in a process of its own, on the database of the test. */
function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const loader = new URL('./support/typescript.mjs', import.meta.url).href;
  const program = fileURLToPath(new URL('../src/migrate.ts', import.meta.url));
  const env = { ...process.env, DATABASE_URL: database.url, DATABASE_DIRECT_URL: '' };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', loader, program, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
