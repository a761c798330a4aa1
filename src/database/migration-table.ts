// The table that remembers which migrations a database has.

/** Anything that runs SQL and gives its rows, such as a TypeORM DataSource. */
export interface Database {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

export interface AppliedMigration {
  readonly name: string;
  readonly run_at: Date;
  readonly duration_ms: number;
  readonly checksum: string;
}

export const CREATE_MIGRATION_TABLE = `CREATE TABLE IF NOT EXISTS migration (
  name text NOT NULL CONSTRAINT migration_pk PRIMARY KEY,
  run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer NOT NULL,
  checksum text NOT NULL
)`;

/** Applied migrations, the first applied first; none where the table does not exist yet. */
export async function appliedMigrations(database: Database): Promise<AppliedMigration[]> {
  const [table] = (await database.query(`SELECT to_regclass('migration') IS NOT NULL AS present`)) as [
    { present: boolean },
  ];
  if (!table.present) return [];
  return (await database.query(
    'SELECT name, run_at, duration_ms, checksum FROM migration ORDER BY run_at, name',
  )) as AppliedMigration[];
}
