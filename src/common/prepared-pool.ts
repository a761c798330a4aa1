// Statements on a connection of the pool that they have to themselves meanwhile, prepared there by their text.
import { Inject, Injectable } from '@nestjs/common';
import { DatabaseError, type Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import type { Queryable } from './sql.js';

/** Texts that a connection keeps at most: any further ones are parsed at each use. */
const PREPARED = 250;

/** For single writes, and for reads that may take long. Nothing is tried twice. */
@Injectable()
export class PreparedPool implements Queryable {
  private readonly names = new Map<string, string>();
  private readonly limit: number;

  constructor(
    private readonly source: DataSource,
    @Inject(ENV) env: Env,
  ) {
    // A pooler in transaction mode knows no prepared statements.
    this.limit = env.DATABASE_DIRECT_URL ? 0 : PREPARED;
  }

  async query<Rows = unknown[]>(text: string, values: unknown[] = []): Promise<Rows> {
    // Not pool.query(), which gives up the connection of every refused statement.
    const client = await ((this.source.driver as PostgresDriver).master as Pool).connect();
    let isLost = false;
    try {
      return (await client.query({ name: this.nameOf(text), text, values })).rows as Rows;
    } catch (error) {
      isLost = !(error instanceof DatabaseError);
      throw error;
    } finally {
      client.release(isLost);
    }
  }

  private nameOf(text: string): string | undefined {
    const known = this.names.get(text);
    if (known || this.names.size >= this.limit) return known;
    const name = `prepared_${this.names.size + 1}`;
    this.names.set(text, name);
    return name;
  }
}
