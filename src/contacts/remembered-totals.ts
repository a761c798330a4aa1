// Totals that were counted once, with the moment they are true of: the log of changes makes them exact again.
import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/caller.js';
import type { ContactQuery } from './contact.query.js';
import { givenFilters } from './contact.query.js';

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

@Injectable()
export class RememberedTotals {
  /** By whose rows they are of and the filters, the least recently used first. */
  private readonly totals = new Map<string, RememberedTotal>();
  private readonly counts = new Map<string, Promise<unknown>>();
  /** Counts what `forget` is called for. */
  life = 0;

  recall(caller: Caller, query: ContactQuery): RememberedTotal | undefined {
    return this.totals.get(keyOf(caller, query));
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
  remember(caller: Caller, query: ContactQuery, total: RememberedTotal | null, life: number): void {
    if (life !== this.life) return;
    const key = keyOf(caller, query);
    this.totals.delete(key);
    if (!total) return;
    this.totals.set(key, total);
    const leastUsed = this.totals.keys().next().value;
    if (this.totals.size > CAPACITY && leastUsed !== undefined) this.totals.delete(leastUsed);
  }

  /**
   * The end of the count of the same that is under way, however it ends; undefined where there is none. What takes a
   * second once would take many at the same time.
   */
  countUnderWay(caller: Caller, query: ContactQuery): Promise<unknown> | undefined {
    return this.counts.get(keyOf(caller, query))?.catch(() => undefined);
  }

  /** Lets others wait for this count. */
  async counting<T>(caller: Caller, query: ContactQuery, count: () => Promise<T>): Promise<T> {
    const key = keyOf(caller, query);
    const counted = count();
    this.counts.set(key, counted);
    try {
      return await counted;
    } finally {
      if (this.counts.get(key) === counted) this.counts.delete(key);
    }
  }
}

function keyOf(caller: Caller, query: ContactQuery): string {
  // A portal user without a company sees one contact, and so has no total worth remembering.
  const company = caller.kind === 'portal' ? (caller.companyId ?? caller.contactId) : null;
  return JSON.stringify([company, ...givenFilters(query).map((name) => [name, query[name]])]);
}
