// A hot standby of the primary: how far it has come, and so whether it may be read from.
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { type WalPosition, walPosition } from './wal-position.js';

/** How often it is compared with the primary at least, in ms. */
const BEAT = 250;
/** How long to wait for a connection at least, in ms. Nobody waits for that but the beat. */
const CONNECTED_WITHIN = 1_000;

/** What a server says of itself. */
interface Report {
  /** Cluster, timeline and database: the same on a primary and its standbys, and nowhere else. */
  readonly identity: string;
  /** On a primary what it has flushed, and so all that it has acknowledged; on a standby what it has replayed. */
  readonly position: string;
}

/** @throws DatabaseError on a standby. */
const OF_PRIMARY = `
  SELECT concat_ws(' ', system_identifier, left(pg_walfile_name(flushed), 8), d.oid) AS identity,
    flushed::text AS position
  FROM pg_current_wal_flush_lsn() AS flushed, pg_control_system(), pg_database d
  WHERE d.datname = current_database()`;

/** No row on a server that is not a standby, or no longer. */
const OF_STANDBY = `
  SELECT concat_ws(' ', system_identifier, upper(lpad(to_hex(timeline_id), 8, '0')), d.oid) AS identity,
    pg_last_wal_replay_lsn()::text AS position
  FROM pg_control_system(), pg_control_checkpoint(), pg_database d
  WHERE d.datname = current_database() AND pg_is_in_recovery()`;

/** Why it is not to be read from, though it answers: reads that are under way there may end. */
class Unfit extends Error {}

export interface StandbyOptions {
  readonly url: string | undefined;
  /** How far it may be behind, and how long its answer may take, in ms. */
  readonly maxLag: number;
  /** Rows of a statement on the primary. */
  readonly askPrimary: (sql: string) => Promise<Report[]>;
  /** Makes it ready to be read from; called until it succeeds. */
  readonly open: () => Promise<unknown>;
}

/**
 * Left out while it is further behind than it may be, gives no answer, or is no standby of this primary; taken back by
 * itself. Not one of several servers that take turns behind one address: what one has, another may lack.
 */
export class Standby {
  private readonly logger = new Logger(Standby.name);
  private readonly pool: pg.Pool;
  /** Ends reads that are under way, for their answer will not come. */
  private readonly underWay = new Set<(reason: Error) => void>();
  private reached: WalPosition = -1n;
  /** When the primary had come as far as that. */
  private freshAt = -Infinity;
  /** Not known before it is first compared. */
  private isUsed?: boolean;
  private isOpen = false;
  private lastRound: Promise<unknown> = Promise.resolve();
  private nextRound?: Promise<boolean>;
  private timer?: NodeJS.Timeout;
  private isClosed = false;

  constructor(private readonly options: StandbyOptions) {
    const { url, maxLag } = options;
    this.pool = new pg.Pool({
      connectionString: url,
      application_name: 'contacts-standby',
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: Math.max(maxLag, CONNECTED_WITHIN),
      query_timeout: maxLag,
      keepAlive: true,
    });
    // The connection was lost while nothing was asked. Unheard, the event would end the process.
    this.pool.on('error', (error) => this.leaveOut(error));
  }

  /** Compares now, and from now on. */
  async start(): Promise<void> {
    await this.compareSoon();
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.start(), BEAT);
    this.timer.unref();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.lastRound;
    await this.pool.end();
  }

  /** Whether it was known a moment ago to have come as far. */
  hasReached(position: WalPosition): boolean {
    return position <= this.reached && performance.now() - this.freshAt < this.options.maxLag + BEAT;
  }

  /** Whether it has, or has soon, all that the primary had acknowledged before this call. */
  async catchesUp(): Promise<boolean> {
    return this.isUsed === true && this.compareSoon();
  }

  /** What a read on it answers. @throws Error also when it is left out meanwhile for giving no answer. */
  whileItAnswers<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.underWay.add(reject);
      const done = (): void => void this.underWay.delete(reject);
      read().then(resolve, reject).finally(done);
    });
  }

  /** Something went wrong there: what was known of it counts no longer. */
  doubt(): void {
    this.freshAt = -Infinity;
  }

  /** All who ask while a round is under way share the next one: only what is asked later is sure to be late enough. */
  private compareSoon(): Promise<boolean> {
    if (!this.nextRound) {
      this.nextRound = this.lastRound.then(() => {
        this.nextRound = undefined;
        return this.compare();
      });
      this.lastRound = this.nextRound;
    }
    return this.nextRound;
  }

  private async compare(): Promise<boolean> {
    const begun = performance.now();
    if (this.isClosed) return false;
    try {
      const [primary] = await this.options.askPrimary(OF_PRIMARY).catch((cause: Error) => {
        throw new Unfit(`there is no primary to compare it with: ${cause.message}`, { cause });
      });
      while (!(await this.hasAll(primary))) {
        if (this.isClosed || performance.now() - begun > this.options.maxLag)
          throw new Unfit(`it is more than ${this.options.maxLag} ms behind`);
        await sleep(1);
      }
      if (!this.isOpen) await this.options.open();
      this.isOpen = true;
    } catch (error) {
      this.leaveOut(error as Error);
      return false;
    }
    this.freshAt = begun;
    if (!this.isUsed) this.logger.log('The replica is read from.');
    return (this.isUsed = true);
  }

  private async hasAll(primary: Report | undefined): Promise<boolean> {
    const [standby] = (await this.pool.query<Report>(OF_STANDBY)).rows;
    if (!standby) throw new Unfit('it is not a standby');
    if (standby.identity !== primary?.identity) throw new Unfit('it is a standby of another primary');
    this.reached = walPosition(standby.position) ?? -1n;
    return this.reached >= (walPosition(primary.position) ?? 0n);
  }

  private leaveOut(error: Error): void {
    this.doubt();
    if (this.isUsed !== false && !this.isClosed)
      this.logger.warn(`The replica is left out: ${error.message}`);
    this.isUsed = false;
    if (error instanceof Unfit) return;
    for (const end of this.underWay) end(error);
  }
}
