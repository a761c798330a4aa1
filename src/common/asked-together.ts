// A statement for some values, made into one for several sets of them: each is answered as it would be alone.
import { TOGETHER } from './gathering.js';

/** The rows of one of the sets have its place among them. */
export interface OfOneAsked {
  readonly asked_no: number;
}

/**
 * Answers `sql` for each of at most TOGETHER sets of values, of which `askedValues` makes its $1, all in one snapshot. As in a
 * prepared statement, one plan is good for any values: the limit tells the planner how few sets there are. A value is of the
 * type that `sql` casts it to, a single word such as bigint or text[], read once and not for each row; else a text.
 */
export function forEachAsked(sql: string): string {
  const count = Math.max(0, ...Array.from(sql.matchAll(/\$(\d+)/g), ([, number]) => Number(number)));
  const columns = Array.from({ length: count }, (_, index) => `, p${index + 1} ${typeOf(index + 1, sql)}`);
  return `SELECT asked.asked_no, answer.* FROM
      (SELECT * FROM json_to_recordset($1) AS sent(asked_no int${columns.join('')}) LIMIT ${TOGETHER}) asked
    CROSS JOIN LATERAL (${sql.replace(/\$(\d+)/g, 'asked.p$1')}) answer`;
}

const typeOf = (number: number, sql: string): string =>
  new RegExp(`\\$${number}::(\\w+(?:\\[\\])?)`).exec(sql)?.[1] ?? 'text';

/** Sets of values as JSON, each with its number. */
export function askedValues(sets: readonly (readonly unknown[])[]): string {
  return JSON.stringify(
    sets.map((values, no) => ({
      asked_no: no,
      ...Object.fromEntries(values.map((value, index) => [`p${index + 1}`, value])),
    })),
  );
}
