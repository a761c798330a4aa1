// Buckets of requests that all processes take from, kept in memory and compared with the database many times a second.
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { RateLimitsRepository } from './rate-limits.repository.js';

/** What limits are counted over, in ms: what an empty bucket takes to be full. */
export const WINDOW = 60_000;
/** How often the database is told what was taken here, and tells what others took; the latter while it fails. In ms. */
const TELL_EVERY = 50;
const RETRY_EVERY = 500;
/** What is told at once, and what requests wait to be told before they go on, in ms of refilling. */
const TELL_FROM = WINDOW / 40;
const UNTOLD_AT_MOST = WINDOW / 20;
/** Fractions that should add up to the window may miss it by so little, in ms. */
const TOLERANCE = 0.01;
const SWEEP_EVERY = 600_000;
/** Buckets remembered at most; beyond that an old one is forgotten, and asked for when it is needed again. */
const CAPACITY = 10_000;
/** So many of the oldest are looked at for one of which all is told. */
const LOOKED_AT = 100;

/** What a bucket says to one request. */
export interface Taken {
  readonly isGranted: boolean;
  /** Whole requests that are left. */
  readonly left: number;
  /** Seconds until there is one more. */
  readonly nextIn: number;
}

/** Times in ms; `fullAt` by performance.now(). */
interface Bucket {
  /** When it will be full: a whole window from now, if it is empty. */
  fullAt: number;
  /** What was taken here and not told yet: how much later that made `fullAt`. */
  untold: number;
  /** Whether the database was asked. */
  isKnown: boolean;
}

/**
 * Token buckets, as the generic cell rate algorithm (ITU-T I.371) has them: of each it is enough to know when it will be
 * full. Requests take from it in memory; only the first that a process gets of a caller waits for the database.
 *
 * What others take is known 50 ms later. Meanwhile a process may grant a twentieth of the limit, or one request, that is
 * not there any more, and no more than that: it is owed, so over time nobody gets more than the limit. While the
 * database fails, each process goes by what it sees alone.
 */
@Injectable()
export class SharedBuckets implements OnApplicationShutdown {
  private readonly logger = new Logger(SharedBuckets.name);
  private readonly buckets = new Map<string, Bucket>();
  /** What the database has to be told or asked: every bucket with something untold or unknown, unless that is under way. */
  private readonly changed = new Map<string, Bucket>();
  private readonly sweeping: NodeJS.Timeout;
  private telling = Promise.resolve();
  private next?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private isAlone = false;

  constructor(private readonly database: RateLimitsRepository) {
    this.sweeping = setInterval(() => void this.database.sweep().catch(() => undefined), SWEEP_EVERY).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.sweeping);
    await this.tellNow();
    await this.database.close();
  }

  /** Takes one request from the bucket `name`, if there is one, at `limit` requests a minute (above 0). */
  async take(name: string, limit: number): Promise<Taken> {
    const cost = WINDOW / limit;
    let bucket = this.buckets.get(name) ?? this.remember(name);
    while (!this.maySpend(bucket, cost)) {
      await this.tellNow();
      // It may have been forgotten meanwhile, and then nobody tells of it any more.
      bucket = this.buckets.get(name) ?? this.remember(name);
    }
    const before = stateOf(bucket, cost);
    if (!before.isGranted) return before;
    bucket.fullAt = Math.max(bucket.fullAt, performance.now()) + cost;
    bucket.untold += cost;
    this.changed.set(name, bucket);
    if (bucket.untold > TELL_FROM && !this.isAlone) void this.tellNow();
    else this.tellSoon();
    return { ...stateOf(bucket, cost), isGranted: true };
  }

  /** Whether nothing is left in the bucket, as far as is known here. */
  isEmpty(name: string, limit: number): boolean {
    const bucket = this.buckets.get(name);
    return bucket !== undefined && !stateOf(bucket, WINDOW / limit).isGranted;
  }

  private remember(name: string): Bucket {
    if (this.buckets.size >= CAPACITY) this.forgetOne();
    const bucket = { fullAt: -Infinity, untold: 0, isKnown: false };
    this.buckets.set(name, bucket);
    this.changed.set(name, bucket);
    return bucket;
  }

  /** An old one of which all is told; while the database fails there may be none, and what one owes is forgotten, too. */
  private forgetOne(): void {
    let chosen: string | undefined;
    let lookedAt = 0;
    for (const [name, { isKnown, untold }] of this.buckets) {
      const isTold = isKnown && untold === 0;
      if (isTold || chosen === undefined) chosen = name;
      if (isTold || (lookedAt += 1) === LOOKED_AT) break;
    }
    if (chosen === undefined) return;
    this.buckets.delete(chosen);
    this.changed.delete(chosen);
  }

  /** Whether so little is untold that others need not know first. */
  private maySpend({ isKnown, untold }: Bucket, cost: number): boolean {
    return isKnown && (this.isAlone || untold === 0 || untold + cost <= UNTOLD_AT_MOST);
  }

  private tellSoon(): void {
    this.timer ??= setTimeout(() => void this.tellNow(), this.isAlone ? RETRY_EVERY : TELL_EVERY).unref();
  }

  /** Resolves when the database was told all until now, or could not be. */
  private tellNow(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.next ??= this.telling.then(() => {
      this.next = undefined;
      this.telling = this.tell();
      return this.telling;
    });
    return this.next;
  }

  private async tell(): Promise<void> {
    const all = [...this.changed].map(([name, bucket]) => ({ name, bucket, taken: bucket.untold }));
    this.changed.clear();
    if (all.length === 0) return;
    const now = performance.now();
    // What has refilled meanwhile, as it may have when this took several attempts, is not owed any more.
    const owed = all.map(({ bucket, taken }) => Math.max(0, Math.min(taken, bucket.fullAt - now)));
    try {
      const known = await this.database.take(all.map(({ name }) => name), owed); // prettier-ignore
      const then = performance.now();
      for (const { name, bucket, taken } of all) {
        bucket.untold -= taken;
        bucket.fullAt = then + (known.get(name) ?? 0) + bucket.untold;
      }
      this.isAlone = false;
    } catch (error) {
      for (const { name, bucket } of all)
        if (this.buckets.get(name) === bucket) this.changed.set(name, bucket);
      if (!this.isAlone) this.logger.warn(`Each process limits alone: ${(error as Error).message}`);
      this.isAlone = true;
    }
    for (const { bucket } of all) bucket.isKnown = true;
  }
}

function stateOf({ fullAt }: Bucket, cost: number): Taken {
  const missing = Math.max(0, fullAt - performance.now());
  const left = Math.max(0, Math.floor((WINDOW - missing + TOLERANCE) / cost));
  return { isGranted: left > 0, left, nextIn: (missing - WINDOW + (left + 1) * cost) / 1000 };
}
