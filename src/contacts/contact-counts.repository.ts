// All SQL on what is derived from contacts: the counts that the log of changes is folded into, and the search documents.
import type { Queryable } from '../common/sql.js';

/** A count that is not what counting the contacts gives. */
export interface CountFault {
  /** [contact_type, source], null for any. */
  readonly slice: (string | null)[];
  readonly period: string;
  readonly starts_at: string;
  readonly counted: string;
  readonly actual: string;
}

/** A contact whose search document is missing, stale or left over. */
export interface DocumentFault {
  readonly contact_id: string;
  readonly fault: 'missing' | 'stale' | 'left over';
}

export class ContactCountsRepository {
  constructor(private readonly db: Queryable) {}

  /** Drops what came here with the dump of another database server: its snapshots mean nothing on this one. */
  async forgetForeign(): Promise<void> {
    await this.db.query(
      `DELETE FROM contact_fold WHERE cluster <> (pg_control_system()).system_identifier
         OR pg_snapshot_xmax(as_of) > pg_snapshot_xmax(pg_current_snapshot())`,
    );
  }

  /** Adds the logged changes to the counts; null when another process is at it. */
  async fold(): Promise<number | null> {
    const [row] = await this.db.query<{ changes: number | null }[]>(
      'SELECT contact_fold_changes()::float8 AS changes',
    );
    return row?.changes ?? null;
  }

  /** Counts everything anew, while reads and writes go on. */
  async recount(): Promise<void> {
    await this.db.query('SELECT contact_recount()');
  }

  /** The counts that are wrong at this moment. */
  countFaults(): Promise<CountFault[]> {
    return this.db.query('SELECT * FROM contact_count_faults()');
  }

  /** The months in which contacts were created, the first first: documents are compared month by month. */
  async months(): Promise<string[]> {
    const rows = await this.db.query<{ month: string }[]>(
      `SELECT DISTINCT date_trunc('month', created_at, 'UTC')::text AS month
       FROM (SELECT created_at FROM contact UNION ALL SELECT created_at FROM contact_search) AS made ORDER BY 1`,
    );
    return rows.map(({ month }) => month);
  }

  /** The documents of a month's contacts that are wrong at this moment. */
  documentFaults(month: string): Promise<DocumentFault[]> {
    return this.db.query<DocumentFault[]>(
      `SELECT COALESCE(c.id, s.contact_id) AS contact_id,
         CASE WHEN s.contact_id IS NULL THEN 'missing' WHEN c.id IS NULL THEN 'left over' ELSE 'stale' END AS fault
       FROM (SELECT * FROM contact WHERE ${OF_MONTH}) c
       FULL JOIN (SELECT * FROM contact_search WHERE ${OF_MONTH}) s
         ON s.contact_id = c.id AND s.created_at = c.created_at
       WHERE s.document IS DISTINCT FROM contact_document(c.full_name, c.email) OR c.id IS NULL OR s.contact_id IS NULL`,
      [month],
    );
  }

  /**
   * Writes the documents of a month's contacts that are missing or stale anew, and drops those left over. Each contact
   * is locked meanwhile, so that no writer's newer document is overwritten.
   */
  async mendDocuments(month: string, faults: readonly DocumentFault[]): Promise<void> {
    const ids = faults.map(({ contact_id }) => contact_id);
    await this.db.query(
      `WITH kept AS MATERIALIZED (
         SELECT id, created_at, full_name, email FROM contact WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE
       ), dropped AS (
         DELETE FROM contact_search s WHERE s.contact_id = ANY ($1) AND s.created_at >= $2::timestamptz
           AND s.created_at < $2::timestamptz + interval '1 month'
           AND NOT EXISTS (SELECT 1 FROM kept WHERE id = s.contact_id AND created_at = s.created_at)
       )
       INSERT INTO contact_search (contact_id, created_at, document)
       SELECT id, created_at, contact_document(full_name, email) FROM kept
       ON CONFLICT (created_at, contact_id) DO UPDATE SET document = EXCLUDED.document`,
      [ids, month],
    );
  }
}

const OF_MONTH = `created_at >= $1::timestamptz
  AND created_at < ($1::timestamptz AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'`;
