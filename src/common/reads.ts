// Short reads: two connections shared by all requests, which are written to without waiting for earlier answers.
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENV } from '../config/config.module.js';
import { type Env, isPooled } from '../config/env.js';
import { type OfOneAsked, askedValues, forEachAsked } from './asked-together.js';
import { closing } from './closing.js';
import { ApiError } from './errors.js';
import { Gathering, type HasId } from './gathering.js';
import { poolOf } from './impatient-pool.js';
import { Lane, failedWithItsLane } from './lane.js';
import type { Queryable } from './sql.js';

const LANES = 2;
/** Statements prepared at most: whoever chooses the fields of a list chooses its text, and each costs memory. */
const PREPARED = 250;

/** A statement for several sets of values. */
interface Prepared {
  readonly name: string;
  readonly text: string;
}

/** Who asks for the same shares an answer. */
interface Asked extends HasId {
  readonly values: readonly unknown[];
}

/** The rows for one who asked. */
interface Answer extends HasId {
  readonly rows: unknown[];
}

/**
 * For statements that take a moment: whatever is sent down a lane waits for what is ahead of it. Transactions, writes
 * and long statements belong to the pool, which also answers while there is no lane.
 */
@Injectable()
export class Reads implements Queryable, OnApplicationShutdown {
  private readonly lanes: readonly Lane[];
  /** By text: those who ask for it in the same moment. */
  private readonly gatherings = new Map<string, Gathering<Asked, Answer>>();
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

  /**
   * The rows of a statement that changes nothing. What is asked by the same text in the same moment goes as one: several rows
   * of one answer come in no order.
   * @param values texts, but for those that the statement casts to a type of their own.
   */
  async query<Rows = unknown[]>(sql: string, values: readonly unknown[] = []): Promise<Rows> {
    const answer = await this.gatheringFor(sql).add({ id: JSON.stringify(values), values });
    return (answer?.rows ?? []) as Rows;
  }

  private async answer(statement: Prepared, asked: readonly Asked[]): Promise<Answer[]> {
    const answers = asked.map(({ id }): Answer => ({ id, rows: [] }));
    const rows = await this.run(statement, [askedValues(asked.map(({ values }) => values))]);
    for (const { asked_no: no, ...row } of rows) answers[no]?.rows.push(row);
    return answers;
  }

  private async run(statement: Prepared, values: unknown[]): Promise<OfOneAsked[]> {
    const lane = this.freestLane();
    if (!lane) return this.pool.query(statement.text, values);
    const asked = performance.now();
    try {
      return (await lane.query({ ...statement, values })) as OfOneAsked[];
    } catch (error) {
      if (!failedWithItsLane(error)) throw error;
      // What befell one connection befell the other: it would cost a request to find out.
      this.leave();
      // Asked again at once, but not after a long wait: a silent database would be waited for twice.
      const isLate = performance.now() - asked > this.env.DATABASE_TIMEOUT_MS / 2;
      if (isLate) throw Object.assign(new ApiError('unavailable'), { cause: error });
      return this.pool.query(statement.text, values);
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

  private gatheringFor(sql: string): Gathering<Asked, Answer> {
    const known = this.gatherings.get(sql);
    if (known) return known;
    if (this.gatherings.size === PREPARED) {
      // The server forgets what it has prepared with the connection.
      this.gatherings.clear();
      this.leave();
    }
    const statement = { name: `read_${(this.prepared += 1)}`, text: forEachAsked(sql) };
    const gathering = new Gathering<Asked, Answer>((asked) => this.answer(statement, asked), {
      isShared: true,
    });
    this.gatherings.set(sql, gathering);
    return gathering;
  }
}
