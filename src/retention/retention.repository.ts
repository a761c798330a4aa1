// All SQL that removes what has been kept long enough.
import type { Queryable } from '../common/sql.js';
import type { Env } from '../config/env.js';

/** Rows of one kind that go some time after they came, or ended. */
interface Sweep {
  readonly table: string;
  /** How long they are kept, in days. */
  readonly keep: number;
  /** Removes the oldest due, at most `$2`, that have been kept for `$1` days; one row that says how many it `removed`. */
  readonly statement: string;
  /** What follows a row into the grave makes a batch longer. */
  readonly batch: number;
}

/** Rows removed in one transaction: some milliseconds, in which nobody waits for them. */
const BATCH = 1_000;

/** An arbitrary number that means "sweeping" to every release. */
const LOCK_KEY = 7_263_451_981;

/** Everything that is swept. A sweep needs an index on the moment that it goes by. */
export function sweepsOf(env: Env): Sweep[] {
  return [
    // What is older no longer counts (src/auth/idempotent-writes.repository.ts).
    { table: 'idempotent_write', keep: 1, statement: oldest('idempotent_write', 'created_at'), batch: BATCH },
    // The caps on sign-in mails count the links of a day.
    {
      table: 'magic_link',
      keep: env.MAGIC_LINK_RETENTION_DAYS,
      statement: oldest('magic_link', 'created_at'),
      batch: BATCH,
    },
    // With their refresh tokens, all of which stay until then: a spent one that comes back tells of a theft.
    {
      table: 'portal_session',
      keep: env.SESSION_RETENTION_DAYS,
      statement: oldest('portal_session', 'expires_at'),
      batch: 100,
    },
    {
      table: 'auth_audit_log',
      keep: env.AUDIT_RETENTION_DAYS,
      // The service has no right to delete entries: this function has, and the table refuses to part with recent ones.
      statement: 'SELECT auth_audit_log_sweep(make_interval(days => $1), $2) AS removed',
      batch: BATCH,
    },
  ];
}

/** Removes rows of `table`, those first whose `moment` is longest ago, without waiting for any. */
function oldest(table: string, moment: string): string {
  // By place, not by key: a join could end in reading the whole table. In hours: where the server's clocks go forward, a
  // day has 23, and a retry after that must still find its answer.
  return `WITH gone AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${table} WHERE ${moment} < now() - make_interval(hours => 24 * $1)
        ORDER BY ${moment} LIMIT $2 FOR UPDATE SKIP LOCKED
      )) RETURNING 1
    )
    SELECT count(*)::int AS removed FROM gone`;
}

export class RetentionRepository {
  /** @param db one connection, since the lock belongs to its session. */
  constructor(private readonly db: Queryable) {}

  /** Removes one batch; answers how many rows that was, or null when another session sweeps. */
  async removeBatch({ statement, keep, batch }: Sweep): Promise<number | null> {
    if (!(await this.hasTurn())) return null;
    const [row] = await this.db.query<{ removed: number }[]>(statement, [keep, batch]);
    return row?.removed ?? 0;
  }

  /**
   * One session sweeps at a time, until it ends; asked each time, since the connection may be a new one. It waits for
   * nobody longer than a second: what is locked for more, such as a table being altered, is swept the next time.
   */
  private async hasTurn(): Promise<boolean> {
    const [row] = await this.db.query<{ held: boolean }[]>(
      `SELECT pg_try_advisory_lock($1) AS held, set_config('lock_timeout', '1s', false)`,
      [LOCK_KEY],
    );
    return row?.held === true;
  }
}
