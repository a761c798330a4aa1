// All SQL on what is derived from contacts: the counts that the log of changes is folded into, and the search documents.
import { type Queryable, isoTimestamp } from '../common/sql.js';

/** What was compared and is not as it should be: how often, and the first of it. */
export interface Differences<Fault> {
  readonly differences: number;
  readonly shown: readonly Fault[];
}

/** A count that is not what counting the contacts gives. */
export interface CountFault {
  /** [contact_type, source], null for any. */
  readonly slice: readonly (string | null)[];
  readonly period: 'ever' | 'month' | 'day' | 'hour';
  /** ISO 8601, UTC; null where it is infinite, as for `ever`. */
  readonly starts_at: string | null;
  readonly counted: number;
  readonly actual: number;
}

export interface ComparedCounts {
  /** Whether readers go by the counts; when not, nothing is compared. */
  readonly is_counted: boolean;
  readonly counts: Differences<CountFault>;
  /** Changes between the oldest and the newest fold: as many as were folded, and as many as the log holds. */
  readonly log: { readonly folded: number; readonly held: number };
  /** Triggers that should keep log and documents and do not fire. */
  readonly silent_triggers: readonly string[];
}

/** A contact whose search document is missing, stale or left over. */
export interface DocumentFault {
  readonly contact_id: string;
  /** ISO 8601 in microseconds, in the session's time zone. */
  readonly created_at: string;
  readonly fault: 'missing' | 'stale' | 'left_over';
}

/** The contacts and documents that follow a place in the list's order, oldest first, up to `end`. */
export interface ComparedDocuments {
  readonly contacts: number;
  readonly faults: readonly DocumentFault[];
  /** Null when nothing follows. */
  readonly end: Place | null;
}

export interface Place {
  readonly created_at: string;
  readonly id: string;
}

/** Differences between counts and contacts that are told in full. */
const SHOWN_COUNTS = 30;
/** Contacts compared in one statement, and so in one snapshot, at most: a fraction of a second. */
const COMPARED = 20_000;
/** Contacts locked by one statement at most: writers of theirs wait for its milliseconds. */
const MENDED = 500;
/** How long to wait for one contact that somebody else is writing. */
const PATIENCE = '10s';
const LOCK_NOT_AVAILABLE = '55P03';

const IS_OWN = `cluster = (pg_control_system()).system_identifier
  AND pg_snapshot_xmax(as_of) <= pg_snapshot_xmax(pg_current_snapshot())`;

const TRIGGERS = ['insert', 'update', 'delete', 'truncate'].map((event) => `contact_log_${event}`);

export class ContactCountsRepository {
  constructor(private readonly db: Queryable) {}

  /** Drops what came here with the dump of another database server: its snapshots mean nothing on this one. */
  async forgetForeign(): Promise<void> {
    await this.db.query(`DELETE FROM contact_fold WHERE NOT (${IS_OWN})`);
  }

  /** Adds the logged changes to the counts; null when another process is at it. */
  async fold(): Promise<number | null> {
    const [row] = await this.db.query<{ changes: number | null }[]>(
      'SELECT contact_fold_changes()::float8 AS changes',
    );
    return row?.changes ?? null;
  }

  /** How many logged changes wait to be folded, or `atMost`; those of transactions open at the last fold left out. */
  async unfolded(atMost: number): Promise<number> {
    const [row] = await this.db.query<{ changes: number }[]>(
      `SELECT count(*)::float8 AS changes FROM (
         SELECT FROM contact_change WHERE xid >= pg_snapshot_xmax((contact_last_fold()).as_of) LIMIT $1
       ) AS change`,
      [atMost],
    );
    return row?.changes ?? 0;
  }

  /** Counts everything anew and begins the log anew, while reads and writes go on. */
  async recount(): Promise<void> {
    await this.db.query('SELECT contact_recount()');
  }

  /** The number of contacts, or about that. */
  async about(): Promise<number> {
    const [row] = await this.db.query<{ contacts: number }[]>(
      `SELECT COALESCE(contact_total('{NULL,NULL}'), GREATEST(reltuples, 0))::float8 AS contacts
       FROM pg_class WHERE oid = 'contact'::regclass`,
    );
    return row?.contacts ?? 0;
  }

  /** Compares every count, and the log, with the contacts of the statement's snapshot. */
  async compareCounts(): Promise<ComparedCounts> {
    // Contacts are named first, and so locked before the tables of the log, as a TRUNCATE does it.
    const [row] = await this.db.query<[ComparedCounts]>(
      `WITH first_locked AS (SELECT FROM contact LIMIT 0),
       state AS MATERIALIZED (
         SELECT COALESCE((SELECT ${IS_OWN} FROM contact_fold ORDER BY no DESC LIMIT 1), false) AS is_counted
       ), fault AS MATERIALIZED (
         SELECT slice, period, CASE WHEN isfinite(starts_at) THEN ${isoTimestamp('starts_at')} END AS starts_at,
           counted, actual
         FROM contact_count_faults() WHERE (SELECT is_counted FROM state)
       ), kept AS MATERIALIZED (
         SELECT no, as_of, changes, first_value(no) OVER reaching AS oldest, last_value(no) OVER reaching AS newest
         FROM contact_fold WINDOW reaching AS (
           ORDER BY no ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
       )
       SELECT is_counted,
         json_build_object('differences', (SELECT count(*) FROM fault), 'shown', COALESCE((SELECT json_agg(f) FROM (
           SELECT * FROM fault
           ORDER BY array_position('{ever,month,day,hour}', period), starts_at, slice LIMIT ${SHOWN_COUNTS}) f), '[]')
         ) AS counts,
         json_build_object('folded', (SELECT COALESCE(sum(changes), 0) FROM kept WHERE no > oldest AND is_counted), 'held', (
           SELECT count(*) FROM kept oldest, kept newest, contact_changes_since(oldest.as_of) c
           WHERE oldest.no = oldest.oldest AND newest.no = newest.newest AND is_counted
             AND pg_visible_in_snapshot(c.xid, newest.as_of))
         ) AS log,
         ARRAY(
           SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (
             SELECT FROM pg_trigger WHERE tgrelid = 'contact'::regclass AND tgname = name AND tgenabled IN ('O', 'A'))
         ) AS silent_triggers
       FROM state`,
      [TRIGGERS],
    );
    return row;
  }

  /**
   * Compares the search documents that follow `after` with the contacts of the statement's snapshot. Both sides are
   * read in order and to the same place, so that neither a month with millions of contacts nor as many documents
   * without one make it long.
   */
  async compareDocuments(after: Place | null): Promise<ComparedDocuments> {
    const [row] = await this.db.query<[ComparedDocuments]>(
      `WITH contacts AS MATERIALIZED (
         SELECT id, created_at, full_name, email FROM contact
         WHERE (created_at, id) > ($1::timestamptz, $2) ORDER BY created_at, id LIMIT ${COMPARED}
       ), documents AS MATERIALIZED (
         SELECT contact_id AS id, created_at, document FROM contact_search
         WHERE (created_at, contact_id) > ($1::timestamptz, $2) ORDER BY created_at, contact_id LIMIT ${COMPARED}
       ), stop AS MATERIALIZED (
         SELECT created_at, id FROM (
           (SELECT created_at, id FROM contacts ORDER BY created_at, id OFFSET ${COMPARED - 1})
           UNION ALL
           (SELECT created_at, id FROM documents ORDER BY created_at, id OFFSET ${COMPARED - 1})
         ) AS last ORDER BY created_at, id LIMIT 1
       ), compared AS MATERIALIZED (
         SELECT created_at, id, c.id IS NOT NULL AS is_contact, CASE
           WHEN d.id IS NULL THEN 'missing'
           WHEN c.id IS NULL THEN 'left_over'
           WHEN d.document <> contact_document(c.full_name, c.email) THEN 'stale' END AS fault
         FROM contacts c FULL JOIN documents d USING (created_at, id) AS place
         WHERE NOT EXISTS (SELECT FROM stop WHERE (stop.created_at, stop.id) < (place.created_at, place.id))
       )
       SELECT (SELECT count(*) FROM compared WHERE is_contact)::float8 AS contacts,
         COALESCE((SELECT json_agg(json_build_object('contact_id', id, 'created_at', created_at, 'fault', fault)
           ORDER BY created_at, id) FROM compared WHERE fault IS NOT NULL), '[]') AS faults,
         (SELECT row_to_json(stop) FROM stop) AS "end"`,
      [after?.created_at ?? '-infinity', after?.id ?? ''],
    );
    return row;
  }

  /**
   * Writes missing and stale documents anew and drops those left over, a few per transaction. Answers the faults that
   * it left alone, for somebody else is writing the contact or the document: waiting while holding others could end
   * in a deadlock.
   */
  async mendDocuments(faults: readonly DocumentFault[]): Promise<DocumentFault[]> {
    const left: DocumentFault[] = [];
    for (let at = 0; at < faults.length; at += MENDED)
      left.push(...(await this.mend(faults.slice(at, at + MENDED), 'SKIP LOCKED')));
    return left;
  }

  /** The same for one fault: waits for who is writing, a while, and answers whether it came to its turn. */
  async mendDocument(fault: DocumentFault): Promise<boolean> {
    try {
      return (await this.mend([fault], '')).length === 0;
    } catch (error) {
      if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return false;
      throw error;
    }
  }

  private async mend(
    faults: readonly DocumentFault[],
    ifLocked: 'SKIP LOCKED' | '',
  ): Promise<DocumentFault[]> {
    // A contact that moved is held under the date it has now, and its old document is dropped.
    const left = await this.db.query<{ no: number }[]>(
      `WITH patience AS MATERIALIZED (
         SELECT set_config('lock_timeout', '${PATIENCE}', true)
       ), fault AS MATERIALIZED (
         SELECT * FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS f (id, created_at, no)
       ), held AS MATERIALIZED (
         SELECT c.id, c.created_at, c.full_name, c.email FROM patience, contact c
         WHERE c.id = ANY ($1) FOR NO KEY UPDATE OF c ${ifLocked}
       ), known AS MATERIALIZED (
         SELECT f.*, EXISTS (SELECT FROM contact c WHERE c.id = f.id) AND f.id NOT IN (SELECT id FROM held) AS is_taken,
           EXISTS (SELECT FROM held h WHERE h.id = f.id AND h.created_at = f.created_at) AS is_kept
         FROM fault f
       ), left_over AS MATERIALIZED (
         SELECT s.created_at, s.contact_id FROM known k
           JOIN contact_search s ON s.created_at = k.created_at AND s.contact_id = k.id
         WHERE NOT is_taken AND NOT is_kept FOR UPDATE OF s ${ifLocked}
       ), dropped AS (
         DELETE FROM contact_search s USING left_over l
         WHERE s.created_at = l.created_at AND s.contact_id = l.contact_id
       ), written AS (
         INSERT INTO contact_search AS s (contact_id, created_at, document)
         SELECT id, created_at, contact_document(full_name, email) FROM held
         ON CONFLICT (created_at, contact_id) DO UPDATE SET document = EXCLUDED.document
           WHERE s.document <> EXCLUDED.document
       )
       SELECT no::int FROM known k WHERE is_taken OR NOT is_kept AND EXISTS (
         SELECT FROM contact_search s WHERE s.created_at = k.created_at AND s.contact_id = k.id
           AND NOT EXISTS (SELECT FROM left_over l WHERE l.contact_id = k.id AND l.created_at = k.created_at))`,
      [faults.map(({ contact_id }) => contact_id), faults.map(({ created_at }) => created_at)],
    );
    const numbers = new Set(left.map(({ no }) => no));
    return faults.filter((_fault, index) => numbers.has(index + 1));
  }
}
