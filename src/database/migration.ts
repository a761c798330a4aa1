// What a migration file exports.

/** One reversible change of the schema: statements run in order, frozen once merged. */
export interface Migration {
  readonly up: readonly MigrationStep[];
  readonly down: readonly MigrationStep[];
  /**
   * Why this migration runs outside a transaction (CREATE INDEX CONCURRENTLY cannot run inside one).
   * Absent: the whole migration is one transaction. Present: a run that was broken off is taken up at the step that
   * had not finished, so each step must bear being run again after a failure half way.
   */
  readonly withoutTransaction?: string;
  /** Tables in use that the transaction, or else each statement in one of its own, alters: it waits for whoever maintains them first, which holds nobody up. */
  readonly alters?: readonly string[];
  /** Why a lock that makes the service wait for a table is all right here; without it the check refuses such a step. */
  readonly locks?: string;
  /** Why no release that may be running misses what this drops or renames; without it the check refuses that. */
  readonly removes?: string;
}

export type MigrationStep = string | BatchedStep | IndexStep;

/** Rows written in batches, each a short transaction, so that a full table is never held up. */
export interface BatchedStep {
  /** What progress lines call it. */
  readonly fill: string;
  /** The table whose rows it goes through, for the percentage. */
  readonly of: string;
  /**
   * One batch: `$1` (jsonb) is the `next` of the batch before, null at first. Answers one row: how many `rows` it went
   * through, and where the `next` batch starts. No rows: the end.
   */
  readonly batch: string;
}

/** An index built CONCURRENTLY, anew whenever the step is run again: one broken off leaves an invalid index behind. */
export interface IndexStep {
  readonly index: string;
  /** What follows ON: the table, the method and what is indexed. */
  readonly on: string;
}

/** The SQL of a step: each statement on its own. */
export function statementsOf(step: MigrationStep): string[] {
  if (typeof step === 'string') return [step];
  if ('batch' in step) return [step.batch];
  return [
    `DROP INDEX CONCURRENTLY IF EXISTS ${step.index}`,
    `CREATE INDEX CONCURRENTLY ${step.index} ON ${step.on}`,
  ];
}

export function sqlOf(step: MigrationStep): string {
  return statementsOf(step).join(';\n');
}
