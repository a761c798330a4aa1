// A hot standby of the primary: how far it has come, and so whether it may be read from.
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { LinkedList } from './linked-list.js';
import { type WalPosition, walPosition } from './wal-position.js';

/** How often it is compared with the primary at least, in ms. */
const BEAT = 250;
/** How long to wait for a connection at least, in ms. Nobody waits for that but the beat. */
const CONNECTED_WITHIN = 1_000;

/** How far a primary has flushed its log, and so has all that it has acknowledged. @throws DatabaseError on a standby. */
const FLUSHED = `
  SELECT flushed::text AS position, left(pg_walfile_name(flushed), 8) AS timeline
  FROM pg_current_wal_flush_lsn() AS flushed`;

/**
 * Has it flushed to the end of a record. It may be flushed into the middle of one, of a transaction that is not done, and
 * no standby can replay that before the rest is flushed: seconds later, where nobody else commits.
 */
const FLUSH = `SELECT pg_logical_emit_message(true, 'contacts', '')`;
/** How long to wait for a standby that is only slow, in ms. */
const FLUSHED_AFTER = 20;

/** How far a standby has replayed it; no row on a server that is none, or no longer. */
const REPLAYED = 'SELECT pg_last_wal_replay_lsn()::text AS position WHERE pg_is_in_recovery()';

/** Cluster and database: the same on a primary and its standbys, and nowhere else. */
const IDENTITY = `
  SELECT concat_ws(' ', system_identifier, oid) AS identity, upper(lpad(to_hex(timeline_id), 8, '0')) AS timeline
  FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()`;

interface Place {
  readonly position: string;
  /** A log that parts from another at some place has another number from there on, eight hexadecimal digits. */
  readonly timeline: string;
}

interface Identity {
  readonly identity: string;
  /** That of the last checkpoint, which a standby is slow to learn. */
  readonly timeline: string;
}

/** Why it is not to be read from, though it answers: reads that are under way there may end. */
class Unfit extends Error {}

export interface StandbyOptions {
  readonly url: string | undefined;
  /** How far it may be behind, and how long its answer may take, in ms. */
  readonly maxLag: number;
  /** Rows of a statement on the primary. */
  readonly askPrimary: <Row>(sql: string) => Promise<Row[]>;
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
  private readonly underWay = new LinkedList<(reason: Error) => void>();
  /** Of the log that it follows; unknown until it turns out to be a standby of this primary. */
  private timeline?: string;
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
    // Whose it is can change only with what it is connected to, so that is not asked for each read.
    this.timeline = undefined;
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

  /** Whether it was fit to be read from when it was last compared. */
  get isFit(): boolean {
    return this.isUsed === true;
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
      const done = this.underWay.add(reject);
      void read().then(resolve, reject).finally(done);
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
      // It may be forgotten while this round is under way, to be asked for by the next.
      const timeline = (this.timeline ??= await this.identify());
      const [primary] = await this.askPrimary<Place>(FLUSHED);
      if (primary?.timeline !== timeline) throw new Unfit('it is a standby of another primary');
      await this.replays(primary, begun);
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

  /** Resolves when it has come as far as the primary. @throws Unfit when it has not in time. */
  private async replays(primary: Place, begun: number): Promise<void> {
    const { maxLag } = this.options;
    for (let isFlushed = false; !(await this.hasReplayed(primary)); await sleep(1)) {
      const waited = performance.now() - begun;
      if (this.isClosed || waited > maxLag) throw new Unfit(`it is more than ${maxLag} ms behind`);
      if (isFlushed || waited < FLUSHED_AFTER) continue;
      await this.askPrimary(FLUSH);
      isFlushed = true;
    }
  }

  private async hasReplayed({ position }: Place): Promise<boolean> {
    const [standby] = (await this.pool.query<Place>(REPLAYED)).rows;
    if (!standby) throw new Unfit('it is not a standby');
    this.reached = walPosition(standby.position) ?? -1n;
    return this.reached >= (walPosition(position) ?? 0n);
  }

  /** The timeline that it follows. @throws Unfit when it is not a standby of this primary. */
  private async identify(): Promise<string> {
    const [primary] = await this.askPrimary<Identity>(IDENTITY);
    const [standby] = (await this.pool.query<Identity>(IDENTITY)).rows;
    if (!standby || standby.identity !== primary?.identity)
      throw new Unfit('it is a standby of another primary');
    return standby.timeline;
  }

  private async askPrimary<Row>(sql: string): Promise<Row[]> {
    try {
      return await this.options.askPrimary<Row>(sql);
    } catch (cause) {
      throw new Unfit(`there is no primary to compare it with: ${(cause as Error).message}`, { cause });
    }
  }

  private leaveOut(error: Error): void {
    this.doubt();
    if (this.isUsed !== false && !this.isClosed)
      this.logger.warn(`The replica is left out: ${error.message}`);
    this.isUsed = false;
    if (error instanceof Unfit) return;
    for (const end of this.underWay.toArray()) end(error);
  }
}
