// Statements on a connection of the pool that they have to themselves meanwhile, prepared there by their text.
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENV } from '../config/config.module.js';
import { type Env, isPooled } from '../config/env.js';
import { isUndone } from './database-errors.js';
import { poolOf } from './impatient-pool.js';
import type { Queryable } from './sql.js';
import { Undone, tryAgain } from './try-again.js';

/** Texts that a connection keeps at most: any further ones are parsed at each use. */
const PREPARED = 250;

/** For single writes, and for reads that may take long. What the server says it has undone is tried again. */
@Injectable()
export class PreparedPool implements Queryable {
  private readonly names = new Map<string, string>();
  private readonly limit: number;

  constructor(
    private readonly source: DataSource,
    @Inject(ENV) env: Env,
  ) {
    // A pooler in transaction mode knows no prepared statements.
    this.limit = isPooled(env) ? 0 : PREPARED;
  }

  query<Rows = unknown[]>(text: string, values: unknown[] = []): Promise<Rows> {
    const statement = { name: this.nameOf(text), text, values };
    return tryAgain(async () => {
      try {
        // Not pool.query(), which gives up the connection of every refused statement.
        return (await poolOf(this.source).use((client) => client.query(statement))).rows as Rows;
      } catch (error) {
        throw isUndone(error) ? new Undone(error) : error;
      }
    });
  }

  private nameOf(text: string): string | undefined {
    const known = this.names.get(text);
    if (known || this.names.size >= this.limit) return known;
    const name = `prepared_${this.names.size + 1}`;
    this.names.set(text, name);
    return name;
  }
}
