// Short reads: two connections shared by all requests, which are written to without waiting for earlier answers.
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENV } from '../config/config.module.js';
import { type Env, isPooled } from '../config/env.js';
import { closing } from './closing.js';
import { ApiError } from './errors.js';
import { Gathering } from './gathering.js';
import { poolOf } from './impatient-pool.js';
import { Lane, failedWithItsLane } from './lane.js';
import type { HasId, ShortReads } from './sql.js';

const LANES = 2;
/** Statements prepared at most: whoever chooses the fields of a list chooses its text, and each costs memory. */
const PREPARED = 250;

/**
 * For statements that take a moment: whatever is sent down a lane waits for what is ahead of it. Transactions, writes
 * and long statements belong to the pool, which also answers while there is no lane.
 */
@Injectable()
export class Reads implements ShortReads, OnApplicationShutdown {
  private readonly lanes: readonly Lane[];
  private readonly names = new Map<string, string>();
  private readonly gathering = new Gathering<HasId>(
    ({ sql, others }, rows) => this.query(sql, [rows.map(({ id }) => id), ...others]),
    { isShared: true },
  );
  private prepared = 0;

  constructor(
    private readonly pool: DataSource,
    @Inject(ENV) private readonly env: Env,
  ) {
    // A pooler in transaction mode knows no prepared statements, and its connections are not ours to fill.
    const count = isPooled(env) ? 0 : LANES;
    // The server may have crashed, while the pool had no connection by which to notice.
    const onLoss = (): void => poolOf(pool).tellLoss();
    this.lanes = Array.from({ length: count }, () => new Lane(pool.options, onLoss));
  }

  /** Statements without an answer, by lane. */
  get waiting(): readonly number[] {
    return this.lanes.map((lane) => lane.waiting);
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the connections for short reads', () =>
      Promise.all(this.lanes.map((lane) => lane.close())),
    );
  }

  /** The rows of a statement that changes nothing, prepared by its text. */
  query<Rows = unknown[]>(sql: string, values: unknown[] = []): Promise<Rows> {
    return this.run(sql, values);
  }

  byId<Row extends HasId>(sql: string, id: string, others: readonly unknown[] = []): Promise<Row | null> {
    return this.gathering.add({ sql, others }, { id }) as Promise<Row | null>;
  }

  private async run<Rows>(text: string, values: unknown[]): Promise<Rows> {
    const lane = this.freestLane();
    if (!lane) return this.pool.query<Rows>(text, values);
    const asked = performance.now();
    try {
      return (await lane.query({ name: this.nameOf(text), text, values })) as Rows;
    } catch (error) {
      if (!failedWithItsLane(error)) throw error;
      // What befell one connection befell the other: it would cost a request to find out.
      this.leave();
      // Asked again at once, but not after a long wait: a silent database would be waited for twice.
      const isLate = performance.now() - asked > this.env.DATABASE_TIMEOUT_MS / 2;
      if (isLate) throw Object.assign(new ApiError('unavailable'), { cause: error });
      return this.pool.query<Rows>(text, values);
    }
  }

  /** Gives up the connections, once what is in flight has its answer. */
  leave(): void {
    for (const lane of this.lanes) lane.leave();
  }

  private freestLane(): Lane | undefined {
    let freest: Lane | undefined;
    for (const lane of this.lanes) {
      if (!lane.isOpen) lane.open();
      else if (!freest || lane.waiting < freest.waiting) freest = lane;
    }
    return freest;
  }

  private nameOf(sql: string): string {
    const known = this.names.get(sql);
    if (known) return known;
    if (this.names.size === PREPARED) {
      // The server forgets them with the connection.
      this.names.clear();
      this.leave();
    }
    const name = `read_${(this.prepared += 1)}`;
    this.names.set(sql, name);
    return name;
  }
}
