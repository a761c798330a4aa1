// Totals that were counted once, with the moment they are true of: the log of changes makes them exact again.
import { Injectable } from '@nestjs/common';

export interface RememberedTotal {
  readonly total: number;
  /** The snapshot that the total is of (pg_snapshot, as text). */
  readonly asOf: string;
  /** The newest fold that snapshot sees: while it is kept, so are all changes since. */
  readonly fold: string;
  /** The matches lie too far back for walking the list to find them. */
  readonly isOld: boolean;
}

/** Fewer than this are counted as fast as the log is read. */
export const WORTH_REMEMBERING = 1_000;
/** Totals remembered at most; beyond that the one least recently used is forgotten. */
const CAPACITY = 5_000;

/** Each by the key of its lists (ListShape). */
@Injectable()
export class RememberedTotals {
  /** The least recently used first. */
  private readonly totals = new Map<string, RememberedTotal>();
  /** The ends of those under way, without what they answer: nobody shall keep that. */
  private readonly counts = new Map<string, Promise<void>>();
  /** Counts what `forget` is called for. */
  life = 0;

  recall(key: string): RememberedTotal | undefined {
    return this.totals.get(key);
  }

  /**
   * Snapshots are told apart by numbers of transactions, which a server that crashed, or the one that took its place,
   * may give to other transactions once more.
   */
  forget(): void {
    this.life += 1;
    this.totals.clear();
  }

  /**
   * @param total null to forget the one before.
   * @param life as it was before the total was asked for.
   */
  remember(key: string, total: Omit<RememberedTotal, 'isOld'> | null, life: number): void {
    if (life !== this.life) return;
    const { isOld = false } = this.totals.get(key) ?? {};
    this.totals.delete(key);
    if (!total) return;
    this.totals.set(key, { ...total, isOld });
    const leastUsed = this.totals.keys().next().value;
    if (this.totals.size > CAPACITY && leastUsed !== undefined) this.totals.delete(leastUsed);
  }

  /** The matches were not found by walking the list. */
  markOld(key: string): void {
    const known = this.totals.get(key);
    if (known) this.totals.set(key, { ...known, isOld: true });
  }

  /**
   * The end of the count of the same that is under way, however it ends; undefined where there is none. What takes a
   * second once would take many at the same time.
   */
  countUnderWay(key: string): Promise<void> | undefined {
    return this.counts.get(key);
  }

  /** Lets others wait for this count. */
  async counting<T>(key: string, count: () => Promise<T>): Promise<T> {
    const counted = count();
    const ended = counted.then(
      () => undefined,
      () => undefined,
    );
    this.counts.set(key, ended);
    try {
      return await counted;
    } finally {
      if (this.counts.get(key) === ended) this.counts.delete(key);
    }
  }
}
