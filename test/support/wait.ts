// Waits for what cannot be awaited.
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks every 20 ms until `holds` does. @throws Error after two minutes: a busy machine is no failure. */
export async function waitUntil(holds: () => Promise<boolean>, every = 20): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('Waited two minutes in vain.');
    await sleep(every);
  }
}

/**
 * Waits until so many sessions of the database that `db` is connected to wait for a lock. In a transaction `db` would see
 * the same again and again.
 */
export function untilLocked(
  db: { query: (sql: string) => Promise<unknown> },
  sessions: number,
): Promise<void> {
  return waitUntil(async () => {
    const found = (await db.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )) as { rowCount: number | null };
    return found.rowCount === sessions;
  });
}
