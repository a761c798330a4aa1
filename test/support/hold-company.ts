// Holds a company's row, so that requests which need it alone meet there: races on demand.
import pg from 'pg';
import type { TestService } from './service.js';
import { waitUntil } from './wait.js';

export interface HeldCompany {
  /** Resolves when so many statements wait for a lock. */
  untilWaiting: (requests: number) => Promise<void>;
  release: () => Promise<void>;
}

/** `FOR UPDATE` stops whoever adds a contact to it, too. */
export async function holdCompany(
  service: TestService,
  id: string,
  strength: 'NO KEY UPDATE' | 'UPDATE' = 'NO KEY UPDATE',
): Promise<HeldCompany> {
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query(`SELECT 1 FROM company WHERE id = $1 FOR ${strength}`, [id]);
  let held = true;
  return {
    untilWaiting: (requests) =>
      waitUntil(async () => {
        const [row] = await service.sql<{ count: number }>(
          `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return row?.count === requests;
      }),
    release: async () => {
      if (!held) return;
      held = false;
      await client.query('ROLLBACK');
      await client.end();
    },
  };
}
