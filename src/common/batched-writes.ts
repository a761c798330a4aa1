// Single writes that come in the same moment go to the database together: a statement, its triggers and its commit cost
// little more for sixteen rows than for one.
import { Injectable } from '@nestjs/common';
import { isOfOneRow } from './database-errors.js';
import { Gathering } from './gathering.js';
import { PreparedPool } from './prepared-pool.js';

/** Rows of a statement at most: a larger crowd has several, at once, on connections of their own. */
const MOST = 16;
/** How long a row may wait for a lock while others wait for it, in ms: it then goes on by itself. */
const PATIENCE = 20;

interface Row {
  readonly id: string;
}

interface Write extends PromiseWithResolvers<Row | null> {
  readonly id: string;
  readonly row: Row;
}

/** Whatever is wrong with a row, or in its way, is told to whom it belongs; the others are written. */
@Injectable()
export class BatchedWrites {
  private readonly gathering = new Gathering<Write>(MOST, (statement, writes) =>
    this.send(statement, writes),
  );

  constructor(private readonly db: PreparedPool) {}

  /**
   * What `statement` answers for this row, or null where it answers nothing.
   * @param statement a single write of `givenRows`, no matter how many, that answers with the `id` of each it has written.
   */
  write<Answer extends Row>(statement: string, row: Row): Promise<Answer | null> {
    const write = { ...Promise.withResolvers<Row | null>(), id: row.id, row };
    this.gathering.add(statement, write);
    return write.promise as Promise<Answer | null>;
  }

  private async send(statement: string, writes: readonly Write[]): Promise<void> {
    const rows = writes.map(({ row }) => row);
    const patience = rows.length > 1 ? PATIENCE : null;
    try {
      const answers = await this.db.query<Row[]>(statement, givenValues(rows, patience));
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      for (const { id, resolve } of writes) resolve(byId.get(id) ?? null);
    } catch (error) {
      if (rows.length > 1 && isOfOneRow(error)) {
        const half = rows.length >> 1;
        this.gathering.send(statement, writes.slice(0, half));
        this.gathering.send(statement, writes.slice(half));
      } else for (const { reject } of writes) reject(error);
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
