// Small pieces of SQL text shared by the repositories. Values only ever travel as parameters.

/** The parameters of one statement; `add` answers the placeholder. */
export class Params {
  readonly values: unknown[] = [];

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

/** `(columns) VALUES (placeholders)` for one row; the keys are column names of an entity, never input. */
export function insertValues(row: object, params: Params): string {
  const entries = Object.entries(row).filter(([, value]) => value !== undefined);
  const columns = entries.map(([column]) => `"${column}"`).join(', ');
  const values = entries.map(([, value]) => params.add(value)).join(', ');
  return `(${columns}) VALUES (${values})`;
}

/** Later than before, too, where a transaction that began earlier writes last, or a clock was put back. */
const UPDATED = "updated_at = GREATEST(clock_timestamp(), c.updated_at + interval '1 microsecond')";

/** `column = placeholder, …` of the row `c` for the keys of `changes` that are not undefined, and when it changed. */
export function assignments(changes: object, params: Params): string {
  const columns = Object.entries(changes)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => `"${column}" = ${params.add(value)}`);
  return [...columns, UPDATED].join(', ');
}
