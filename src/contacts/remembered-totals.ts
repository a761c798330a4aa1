// Totals that were counted once, with the moment they are true of: the log of changes makes them exact again.
import { Injectable } from '@nestjs/common';
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
const WORTH_REMEMBERING = 1_000;
/** Totals remembered at most; beyond that the one least recently used is forgotten. */
const CAPACITY = 5_000;

@Injectable()
export class RememberedTotals {
  /** By the filters, the least recently used first. */
  private readonly totals = new Map<string, RememberedTotal>();

  recall(query: ContactQuery): RememberedTotal | undefined {
    return this.totals.get(keyOf(query));
  }

  remember(query: ContactQuery, total: RememberedTotal): void {
    const key = keyOf(query);
    this.totals.delete(key);
    if (total.total < WORTH_REMEMBERING) return;
    this.totals.set(key, total);
    const leastUsed = this.totals.keys().next().value;
    if (this.totals.size > CAPACITY && leastUsed !== undefined) this.totals.delete(leastUsed);
  }
}

function keyOf(query: ContactQuery): string {
  return JSON.stringify(givenFilters(query).map((name) => [name, query[name]]));
}
