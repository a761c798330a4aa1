// Single writes that come in the same moment go to the database together: a statement, its triggers and its commit cost
// little more for sixteen rows than for one.
import { Injectable } from '@nestjs/common';
import { Gathering, type HasId, TOGETHER } from './gathering.js';
import { PreparedPool } from './prepared-pool.js';

/** How long a row may wait for a lock while others wait for it, in ms: it then goes on by itself. */
const PATIENCE = 20;

/** Kinds of statements known at most: whoever chooses the fields of a patch chooses its text, and each costs memory. */
const KINDS = 250;

/** Whatever is wrong with a row, or in its way, is told to whom it belongs; the others are written. */
@Injectable()
export class BatchedWrites {
  /** By text: those who write by it in the same moment. */
  private readonly gatherings = new Map<string, Gathering<HasId, HasId>>();

  constructor(private readonly db: PreparedPool) {}

  /**
   * What `sql` answers for this row, or null where it answers nothing.
   * @param sql a single write of `givenRows`, no matter how many, that answers with the `id` of each it has written.
   */
  write<Answer extends HasId>(sql: string, row: HasId): Promise<Answer | null> {
    return this.gatheringFor(sql).add(row) as Promise<Answer | null>;
  }

  private gatheringFor(sql: string): Gathering<HasId, HasId> {
    const known = this.gatherings.get(sql);
    if (known) return known;
    // Those that are under way go on without it.
    if (this.gatherings.size === KINDS) this.gatherings.clear();
    const gathering = new Gathering<HasId, HasId>(
      (rows) => this.db.query(sql, givenValues(rows, rows.length > 1 ? PATIENCE : null)),
      { isShared: false },
    );
    this.gatherings.set(sql, gathering);
    return gathering;
  }
}

/**
 * Rows that a statement is given, in FROM, with the columns of `table`. Its first two parameters are `givenValues`. The rows
 * of most plans are locked in their order; what still gets in each other's way gives up after `PATIENCE`, long before it is
 * a deadlock. The limit tells the planner how few they are.
 */
export function givenRows(table: string): string {
  return `(SELECT sent.* FROM set_config('lock_timeout', COALESCE($2, current_setting('lock_timeout')), true),
      json_populate_recordset(NULL::${table}, $1) sent ORDER BY sent.id LIMIT ${TOGETHER}) given`;
}

/** @param patience how long each may wait for a lock, in ms; null for as long as the session lets it. */
export function givenValues(rows: readonly object[], patience: number | null = null): unknown[] {
  return [JSON.stringify(rows), patience];
}
