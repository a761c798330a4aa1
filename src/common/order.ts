// What a list is ordered by.

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
  /** Condition of the rows that come before all others. */
  readonly first?: string;
}
