// Small pieces of SQL text shared by the repositories. Values only ever travel as parameters.

/** The parameters of one statement; `add` answers the placeholder. */
export class Params {
  /** @param values those there are already. */
  constructor(readonly values: unknown[] = []) {}

  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** Runs a statement: a TypeORM DataSource, EntityManager or QueryRunner. */
export interface Queryable {
  query<Rows = unknown[]>(sql: string, values?: unknown[]): Promise<Rows>;
}

/** Does work as a whole or not at all: in a transaction, or within one in a part that may fail by itself. */
export interface Transactional extends Queryable {
  transaction<T>(work: (db: Transactional) => Promise<T>): Promise<T>;
}

/** A timestamptz as the contract writes it: UTC, milliseconds, `Z`. */
export function isoTimestamp(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/**
 * A JSON object of the given expressions, made by PostgreSQL in the order given. By way of a row it is a quarter
 * cheaper than json_build_object, and has no spaces.
 */
export function jsonObject(expressions: Record<string, string>): string {
  const columns = Object.entries(expressions).map(([name, expression]) => `${expression} AS "${name}"`);
  return `(SELECT row_to_json(o) FROM (SELECT ${columns.join(', ')}) o)`;
}

/** The columns that `row` sets; its keys are column names of an entity, never input. */
export function columnsOf(row: object): string[] {
  return Object.keys(row).filter((column) => row[column as never] !== undefined);
}

/** `(columns) VALUES (placeholders)` for one row. */
export function insertValues(row: object, params: Params): string {
  const columns = columnsOf(row);
  const values = columns.map((column) => params.add(row[column as never])).join(', ');
  return `(${quoted(columns)}) VALUES (${values})`;
}

/** A list of columns. */
export function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

/** Later than before, too, where a transaction that began earlier writes last, or a clock was put back. */
const UPDATED = "updated_at = GREATEST(clock_timestamp(), c.updated_at + interval '1 microsecond')";

/** `column = value, …` of the row `c`, and when it changed. */
export function assignments(columns: readonly string[], valueOf: (column: string) => string): string {
  return [...columns.map((column) => `"${column}" = ${valueOf(column)}`), UPDATED].join(', ');
}
