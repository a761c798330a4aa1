// Single writes that come in the same moment go to the database together: a statement, its triggers and its commit cost
// little more for sixteen rows than for one.
import { Injectable } from '@nestjs/common';
import { isOfOneRow } from './database-errors.js';
import { PreparedPool } from './prepared-pool.js';

/** Rows of a statement at most: a larger crowd has several, at once, on connections of their own. */
const MOST = 16;
/** How long a row may wait for a lock while others wait for it, in ms: it then goes on by itself. */
const PATIENCE = 20;

interface Row {
  readonly id: string;
}

/** A row, and who waits for what is answered for it. */
interface Write {
  readonly row: Row;
  readonly done: (answer: Row | null) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Nobody waits for company: what has come by the end of this turn of the event loop goes, and that is one write unless the
 * process is busy. Whatever is wrong with a row, or in its way, is told to whom it belongs; the others are written.
 */
@Injectable()
export class BatchedWrites {
  /** By statement; those that wait for the end of this turn, by the id of their row. */
  private readonly gathering = new Map<string, Map<string, Write>>();

  constructor(private readonly db: PreparedPool) {}

  /**
   * What `statement` answers for this row, or null where it answers nothing.
   * @param statement a single write of `givenRows`, no matter how many, that answers with the `id` of each it has written.
   */
  write<Answer extends Row>(statement: string, row: Row): Promise<Answer | null> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer | null>();
    const write = { row, done: resolve as Write['done'], failed: reject };
    const batch = this.gathering.get(statement);
    // One statement changes a row once.
    if (batch && batch.size < MOST && !batch.has(row.id)) batch.set(row.id, write);
    else this.begin(statement, write);
    return promise;
  }

  private begin(statement: string, first: Write): void {
    const batch = new Map([[first.row.id, first]]);
    this.gathering.set(statement, batch);
    setImmediate(() => {
      if (this.gathering.get(statement) === batch) this.gathering.delete(statement);
      void this.send(statement, [...batch.values()]);
    });
  }

  private async send(statement: string, writes: readonly Write[]): Promise<void> {
    try {
      const patience = writes.length > 1 ? PATIENCE : null;
      const values = givenValues(
        writes.map(({ row }) => row),
        patience,
      );
      const answers = await this.db.query<Row[]>(statement, values);
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      for (const { row, done } of writes) done(byId.get(row.id) ?? null);
    } catch (error) {
      if (writes.length > 1 && isOfOneRow(error)) {
        const half = writes.length >> 1;
        void this.send(statement, writes.slice(0, half));
        void this.send(statement, writes.slice(half));
      } else for (const { failed } of writes) failed(error);
    }
  }
}

/**
 * Rows that a statement is given, in FROM: with the columns of `table`, in the order in which everybody locks them. It needs
 * `givenValues` for its first two parameters.
 */
export function givenRows(table: string): string {
  return `(SELECT given.* FROM set_config('lock_timeout', COALESCE($2, current_setting('lock_timeout')), true),
      json_populate_recordset(NULL::${table}, $1) given ORDER BY given.id) given`;
}

/** @param patience how long each may wait for a lock, in ms; null as long as any statement. */
export function givenValues(rows: readonly object[], patience: number | null = null): unknown[] {
  return [JSON.stringify(rows), patience];
}
