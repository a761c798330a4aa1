// A statement for some values, made into one for several sets of them: each is answered as it would be alone.
import { TOGETHER } from './gathering.js';

/** The rows of one of the sets have its place among them. */
export interface OfOneAsked {
  readonly asked_no: number;
}

/**
 * Answers `sql` for each of at most TOGETHER sets of values, of which `askedValues` makes its $1, all in one snapshot. As in a
 * prepared statement, one plan is good for any values: the limit tells the planner how few sets there are.
 * @param types of the values, as `typeOf` has them.
 */
export function forEachAsked(sql: string, types: readonly string[]): string {
  const columns = types.map((type, index) => `, p${index + 1} ${type}`).join('');
  return `SELECT asked.asked_no, answer.* FROM
      (SELECT * FROM json_to_recordset($1) AS sent(asked_no int${columns}) LIMIT ${TOGETHER}) asked
    CROSS JOIN LATERAL (${sql.replace(/\$(\d+)/g, 'asked.p$1')}) answer`;
}

export function askedValues(sets: readonly (readonly unknown[])[]): string {
  return JSON.stringify(
    sets.map((values, no) => ({
      asked_no: no,
      ...Object.fromEntries(values.map((value, index) => [`p${index + 1}`, value])),
    })),
  );
}

/** The type of a value where the statement does not cast it. */
export function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'text[]';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value !== 'number') return 'text';
  return Number.isInteger(value) ? 'bigint' : 'float8';
}
