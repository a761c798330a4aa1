// What a migration file exports.

/** One reversible change of the schema: statements run in order, frozen once merged. */
export interface Migration {
  readonly up: readonly string[];
  readonly down: readonly string[];
  /**
   * Why this migration runs outside a transaction (CREATE INDEX CONCURRENTLY cannot run inside one).
   * Absent: the whole migration is one transaction.
   */
  readonly withoutTransaction?: string;
}
