// What a list is ordered by.
import type { Params } from './sql.js';

/** What a list can be ordered by. A null counts as the smallest value, so both directions share an index. */
export interface Sort {
  /** Never null. Must match the expression of an index on (expression, id). */
  readonly expression: string;
  readonly type: 'timestamptz' | 'text' | 'float8';
}

export interface Order {
  readonly name: string;
  readonly sort: Sort;
  readonly descending: boolean;
  /** Condition of the one row, at most, that comes before all others. A walk keeps to the row that met it at its beginning. */
  readonly first?: (params: Params) => string;
}
