// Applies and undoes migrations: one run at a time per database, each migration whole or not at all.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type MigrationFile, MIGRATIONS_DIRECTORY, loadMigrations } from './migration-files.js';
import { type AppliedMigration, CREATE_MIGRATION_TABLE, appliedMigrations } from './migration-table.js';
import { printable, runInTransaction, runStepwise } from './migration-run.js';
import { type Direction, brokenOff, forgetBrokenOff } from './migration-progress.js';
import { type MigrationStatus, migrationStatus, refuseChanged } from './migration-status.js';

/** An arbitrary number that means "migrations" to every release; advisory locks are per database. */
const LOCK_KEY = 7_263_451_980;
const LOCK_RETRY_MS = 200;

export interface MigratorOptions {
  /** A direct connection: through a transaction pooler the lock would not hold. */
  url: string;
  directory?: string;
  log?: (line: string) => void;
  /** How long in all to go on asking for a table that others keep locked, in ms; a minute by default. */
  patience?: number;
  /** Time between two lines of progress of a long step, in ms; five seconds by default. */
  progressEvery?: number;
}

export class Migrator {
  private readonly url: string;
  private readonly directory: string;
  private readonly log: (line: string) => void;
  private readonly patience: number;
  private readonly progressEvery: number;

  constructor({ url, directory, log, patience, progressEvery }: MigratorOptions) {
    this.url = url;
    this.directory = directory ?? MIGRATIONS_DIRECTORY;
    this.log = log ?? console.log;
    this.patience = patience ?? 60_000;
    this.progressEvery = progressEvery ?? 5_000;
  }

  /**
   * Applies pending migrations in order, up to and including the one named `to`; a dry run prints their SQL.
   * @returns names applied (or that would be).
   * @throws MigrationError when one fails (the earlier ones stay); Error when an applied file has changed, or one is half
   * undone.
   */
  async up({ dryRun = false, to }: { dryRun?: boolean; to?: string } = {}): Promise<string[]> {
    return this.run(dryRun, async (client, files, applied) => {
      refuseChanged(migrationStatus(files, applied));
      const half = await brokenOff(client, 'down');
      if (half)
        throw new Error(`${half} is half undone: run down again first, which goes on where it broke off.`);
      if (to !== undefined && !files.some(({ name }) => name === to))
        throw new Error(`No migration is named ${to}.`);
      const done = new Set(applied.map(({ name }) => name));
      const pending = files.filter(({ name }) => !done.has(name) && (to === undefined || name <= to));
      return this.each(client, pending, 'up', dryRun);
    });
  }

  /**
   * Undoes the last `steps` applied migrations, the last applied first; a dry run prints their SQL.
   * @returns names undone (or that would be).
   * @throws MigrationError when one fails; Error when one of them has no file here.
   */
  async down({ steps = 1, dryRun = false }: { steps?: number; dryRun?: boolean } = {}): Promise<string[]> {
    return this.run(dryRun, async (client, files, applied) => {
      const last = applied.toReversed().slice(0, steps);
      const undone = last.map(({ name }) => {
        const file = files.find((candidate) => candidate.name === name);
        if (!file)
          throw new Error(
            `${name} cannot be undone: its file is in a newer release. Run down from that one.`,
          );
        return file;
      });
      if (!dryRun && undone.length > 0) await forgetBrokenOff(client, 'up');
      return this.each(client, undone, 'down', dryRun);
    });
  }

  /** What is applied, pending, unknown or changed. Writes nothing. */
  async status(): Promise<MigrationStatus> {
    return this.connected(async (client) =>
      migrationStatus(await loadMigrations(this.directory), await appliedIn(client)),
    );
  }

  private async run(
    dryRun: boolean,
    work: (client: Client, files: MigrationFile[], applied: AppliedMigration[]) => Promise<string[]>,
  ): Promise<string[]> {
    const files = await loadMigrations(this.directory);
    return this.connected(async (client) => {
      if (!dryRun) {
        await this.lock(client);
        await client.query(CREATE_MIGRATION_TABLE);
      }
      return work(client, files, await appliedIn(client));
    });
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'contacts-migrate',
      connectionTimeoutMillis: 10_000,
      // Nothing is sent while an index is built, for longer than what lies in between may remember the connection.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // A lost connection rejects the running query as well; unheard, the event would end the process.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  private async connected<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      // A role's statement_timeout is meant for requests; building an index may take longer.
      await client.query(`SET statement_timeout = 0; SET client_min_messages = warning`);
      return await work(client);
    } finally {
      await client.end(); // also lets go of the lock
    }
  }

  private async lock(client: Client): Promise<void> {
    // Asking again and again, not pg_advisory_lock(): a session waiting in that call keeps a snapshot, for which
    // CREATE INDEX CONCURRENTLY in the other session waits in turn, and PostgreSQL ends one as a deadlock.
    for (let waiting = false; ; waiting = true) {
      const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
        LOCK_KEY,
      ]);
      if (rows[0]?.locked) return;
      if (!waiting) this.log('Waiting: another migration run is at work on this database.');
      await delay(LOCK_RETRY_MS);
    }
  }

  private async each(
    client: Client,
    files: MigrationFile[],
    direction: Direction,
    dryRun: boolean,
  ): Promise<string[]> {
    if (files.length === 0) this.log(direction === 'up' ? 'Nothing to apply.' : 'Nothing to undo.');
    for (const file of files) {
      if (dryRun) this.print(file, direction);
      else await this.apply(client, file, direction);
    }
    return files.map(({ name }) => name);
  }

  private print({ name, migration }: MigrationFile, direction: Direction): void {
    const { withoutTransaction } = migration;
    this.log(
      `-- ${name} (${direction})${withoutTransaction ? `, outside a transaction: ${withoutTransaction}` : ''}`,
    );
    for (const statement of printable(migration[direction])) this.log(statement);
    this.log('');
  }

  private async apply(client: Client, file: MigrationFile, direction: Direction): Promise<void> {
    const { name, migration } = file;
    const outside = migration.withoutTransaction;
    if (outside) this.log(`${name} runs outside a transaction: ${outside}`);
    const started = performance.now();
    const elapsed = (): number => Math.round(performance.now() - started);
    const { log, patience, progressEvery } = this;
    const connect = (): Promise<Client> => this.connect();
    const run = { client, file, direction, log, patience, progressEvery, connect };
    await (outside ? runStepwise : runInTransaction)(run, () => record(client, file, direction, elapsed()));
    this.log(`${direction === 'up' ? 'Applied' : 'Undone'} ${name} in ${elapsed()} ms`);
  }
}

async function record(
  client: Client,
  { name, checksum }: MigrationFile,
  direction: Direction,
  milliseconds: number,
): Promise<void> {
  if (direction === 'down') await client.query('DELETE FROM migration WHERE name = $1', [name]);
  else {
    await client.query('INSERT INTO migration (name, duration_ms, checksum) VALUES ($1, $2, $3)', [
      name,
      milliseconds,
      checksum,
    ]);
  }
}

async function appliedIn(client: Client): Promise<AppliedMigration[]> {
  return appliedMigrations({
    query: async (sql, parameters) => (await client.query<object>(sql, parameters)).rows,
  });
}
