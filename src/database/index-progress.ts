// Tells how far an index has come that is being built CONCURRENTLY: on another connection, since the first is busy.
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

interface Telling {
  /** Another connection than the one that builds. */
  readonly connect: () => Promise<Client>;
  readonly log: (line: string) => void;
  /** Time between two lines, in ms. */
  readonly progressEvery: number;
}

interface Seen {
  /** PostgreSQL's own words, such as `building index: scanning table`. */
  phase: string;
  done: number;
  of: number;
  unit: string;
}

const SEEN = `
  SELECT phase, done::float8, of::float8, unit
  FROM pg_stat_progress_create_index CROSS JOIN LATERAL (VALUES
    (1, lockers_done, lockers_total, 'transactions'),
    (2, tuples_done, tuples_total, 'rows'),
    (3, blocks_done, blocks_total, 'blocks')
  ) AS counted (place, done, of, unit)
  WHERE pid = $1 ORDER BY of > 0 DESC, place LIMIT 1`;

/** Tells of the index that the process `pid` of PostgreSQL builds, until `over`. */
export async function tellIndexProgress(
  { connect, log, progressEvery }: Telling,
  { index, pid }: { index: string; pid: number },
  over: AbortSignal,
): Promise<void> {
  let watcher: Client | undefined;
  try {
    for (;;) {
      await delay(progressEvery, undefined, { signal: over });
      watcher ??= await connect();
      const [seen] = (await watcher.query<Seen>(SEEN, [pid])).rows;
      if (!seen) continue;
      const { phase, done, of, unit } = seen;
      log(`${index}: ${phase}${of > 0 ? `, ${done} of ${of} ${unit}` : ''}`);
    }
  } catch {
    // Over, or nothing to watch by: a line that is not told is no reason to break off.
  } finally {
    await watcher?.end().catch(() => undefined);
  }
}
