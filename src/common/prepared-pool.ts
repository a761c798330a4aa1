// Statements on a connection of the pool that they have to themselves meanwhile, prepared there by their text.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { isUndone } from './database-errors.js';
import { poolOf } from './impatient-pool.js';
import type { Queryable } from './sql.js';
import { Undone, tryAgain } from './try-again.js';

/** For single writes, and for reads that may take long. What the server says it has undone is tried again. */
@Injectable()
export class PreparedPool implements Queryable {
  constructor(private readonly source: DataSource) {}

  query<Rows = unknown[]>(text: string, values: unknown[] = []): Promise<Rows> {
    const pool = poolOf(this.source);
    const statement = { name: pool.names.single.of(text), text, values };
    return tryAgain(async () => {
      try {
        // Not pool.query(), which gives up the connection of every refused statement.
        return (await pool.use((client) => client.query(statement))).rows as Rows;
      } catch (error) {
        throw isUndone(error) ? new Undone(error) : error;
      }
    });
  }
}
