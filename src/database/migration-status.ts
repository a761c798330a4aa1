// Where a database stands against the migration files: for people as a table, for a deploy script as JSON.
import type { MigrationFile } from './migration-files.js';
import type { AppliedMigration } from './migration-table.js';
import { type SchemaCheck, compareNames } from './schema-check.js';

export interface MigrationRow {
  readonly name: string;
  /** unknown: applied, but no file here; changed: applied, and its file holds other SQL by now. */
  readonly state: 'applied' | 'pending' | 'unknown' | 'changed';
  /** Pending although a later one is applied: a branch merged late. It is applied in order all the same. */
  readonly late: boolean;
  /** ISO 8601, UTC. */
  readonly runAt: string | null;
  readonly durationMs: number | null;
}

export interface MigrationStatus extends SchemaCheck {
  readonly changed: string[];
  /** All names known on either side, in order. */
  readonly migrations: MigrationRow[];
}

export function migrationStatus(files: MigrationFile[], applied: AppliedMigration[]): MigrationStatus {
  const checksums = new Map(files.map(({ name, checksum }) => [name, checksum]));
  const records = new Map(applied.map((record) => [record.name, record]));
  const newest = [...records.keys()].toSorted().at(-1) ?? '';
  const names = [...new Set([...checksums.keys(), ...records.keys()])].toSorted();

  const migrations = names.map((name): MigrationRow => {
    const record = records.get(name);
    if (!record) return { name, state: 'pending', late: name < newest, runAt: null, durationMs: null };
    const checksum = checksums.get(name);
    const state = checksum === undefined ? 'unknown' : checksum === record.checksum ? 'applied' : 'changed';
    return { name, state, late: false, runAt: record.run_at.toISOString(), durationMs: record.duration_ms };
  });
  const changed = migrations.filter(({ state }) => state === 'changed').map(({ name }) => name);
  return { ...compareNames([...checksums.keys()], [...records.keys()]), changed, migrations };
}

/** Whether nothing is pending, unknown or changed. */
export function isUpToDate({ state, changed }: MigrationStatus): boolean {
  return state === 'current' && changed.length === 0;
}

/** @throws Error naming the migrations whose files hold other SQL than was applied. */
export function refuseChanged({ changed }: MigrationStatus): void {
  if (changed.length === 0) return;
  throw new Error(
    `Changed after it was applied: ${changed.join(', ')}. ` +
      `A migration is frozen once merged: restore the file and put the change in a new migration.`,
  );
}

/** A table for the terminal, closed by one line that says where the database stands. */
export function statusText(status: MigrationStatus): string {
  const width = Math.max(...status.migrations.map(({ name }) => name.length), 0);
  const rows = status.migrations.map(({ name, state, late, runAt, durationMs }) => {
    const note = late ? 'older than the newest applied' : runAt && `${runAt}  ${durationMs} ms`;
    return `${name.padEnd(width)}  ${state.padEnd(7)}  ${note ?? ''}`.trimEnd();
  });
  return [...rows, summary(status)].join('\n');
}

function summary({ state, pending, unknown, changed }: MigrationStatus): string {
  const faults = [
    pending.length > 0 && `${pending.length} pending (run up)`,
    unknown.length > 0 && `${unknown.length} unknown to this release (deploy the matching one)`,
    changed.length > 0 && `${changed.length} changed after being applied (restore the file)`,
  ].filter((fault) => fault !== false);
  return state === 'current' && faults.length === 0 ? 'Up to date.' : `Not up to date: ${faults.join(', ')}.`;
}
