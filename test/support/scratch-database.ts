// An empty database for migrations of a test's own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Migration } from '../../src/database/migration.js';
import { Migrator, type MigratorOptions } from '../../src/database/migrator.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export class ScratchDatabase {
  /** What the migrators printed since `clear`. */
  lines: string[] = [];
  private readonly folders: string[] = [];

  private constructor(
    private readonly database: TestDatabase,
    readonly client: pg.Client,
  ) {}

  static async create(): Promise<ScratchDatabase> {
    const database = await createTestDatabase();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    return new ScratchDatabase(database, client);
  }

  get url(): string {
    return this.database.url;
  }

  async clear(): Promise<void> {
    this.lines = [];
    await this.client.query(
      `SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public`,
    );
  }

  async drop(): Promise<void> {
    await this.client.end();
    await this.database.drop();
    for (const folder of this.folders) await rm(folder, { recursive: true });
  }

  /** A folder with one file per migration. */
  async folder(migrations: Record<string, Migration>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'contacts-migrations-'));
    this.folders.push(folder);
    for (const [name, migration] of Object.entries(migrations)) {
      await writeFile(join(folder, `${name}.ts`), `export const migration = ${JSON.stringify(migration)};\n`);
    }
    return folder;
  }

  async migratorOf(
    migrations: Record<string, Migration>,
    options: Pick<MigratorOptions, 'patience' | 'progressEvery'> = {},
  ): Promise<Migrator> {
    const directory = await this.folder(migrations);
    return new Migrator({ url: this.url, directory, log: (line) => this.lines.push(line), ...options });
  }

  /** Names, sorted. */
  async tables(): Promise<string[]> {
    const { rows } = await this.client.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
    );
    return rows.map(({ name }) => name);
  }

  /** The number of rows in a table. */
  async count(table: string): Promise<number> {
    const { rows } = await this.client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    return rows[0]?.n ?? 0;
  }
}
