// Every write of a contact keeps its search document, and appends what it changed to a log.
//
// A total counted once, with the snapshot it was counted at, stays exact for good: a reader adds the logged changes
// which that snapshot does not see. A writer only ever appends, so writers never wait for each other.
import type { Migration } from '../src/database/migration.ts';

/** The columns of a contact that a list can filter by: those a change of which is logged. */
const FILTERED = [
  'id',
  'created_at',
  'email',
  'company_id',
  'contact_type',
  'source',
  'product',
  'tags',
  'pipeline_stage',
  'funnel_stage',
  'portal_access',
  'portal_role',
];

const columnsOf = (row: string, names: readonly string[] = FILTERED): string =>
  names.map((name) => `${row}.${name}`).join(', ');

/**
 * Settings of the functions that read log and counts: by index, whatever the planner last saw of a table that is empty
 * one second and full the next; and planned once, not at every call.
 */
const READ_BY_INDEX = 'SET enable_seqscan = off SET plan_cache_mode = force_generic_plan';

const LOGGED = `sign, ${FILTERED.join(', ')}, document`;

/** What a change to needs no word of: documents hold the full name. */
const WATCHED = [...FILTERED, 'full_name'];

export const migration: Migration = {
  alters: ['contact'],
  up: [
    `CREATE FUNCTION contact_document(full_name text, email text) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE
       RETURN COALESCE(search_normalize(full_name), '') || E'\\n' || COALESCE(email, '')`,

    // What a search reads: narrow, and in the list's order, so that frequent terms are found by walking its index.
    `CREATE TABLE contact_search (
       contact_id text COLLATE "C" NOT NULL,
       created_at timestamptz NOT NULL,
       document text NOT NULL,
       CONSTRAINT contact_search_pk PRIMARY KEY (created_at, contact_id)
     )`,

    `CREATE TABLE contact_change (
       xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
       sign smallint NOT NULL,
       id text COLLATE "C" NOT NULL,
       created_at timestamptz NOT NULL,
       email text COLLATE "C",
       company_id text COLLATE "C",
       contact_type text NOT NULL,
       source text NOT NULL,
       product text,
       tags text,
       pipeline_stage text,
       funnel_stage text,
       portal_access smallint NOT NULL,
       portal_role text,
       document text NOT NULL,
       CONSTRAINT contact_change_sign_ck CHECK (sign IN (-1, 1))
     ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
             autovacuum_vacuum_insert_threshold = -1)`,
    `CREATE INDEX contact_change_xid_ix ON contact_change (xid)`,

    // As a statement's trigger it costs a bulk insert next to nothing per row. Nothing is joined in it: a plan made
    // for one row would be kept for ten thousand, or the other way round.
    `CREATE FUNCTION contact_log_insert() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       WITH documented AS MATERIALIZED (
         SELECT *, contact_document(full_name, email) AS document FROM new_contact
       ), searchable AS (
         INSERT INTO contact_search (contact_id, created_at, document)
         SELECT id, created_at, document FROM documented
       )
       INSERT INTO contact_change (${LOGGED})
       SELECT 1, ${FILTERED.join(', ')}, document FROM documented;
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER contact_log_insert AFTER INSERT ON contact
       REFERENCING NEW TABLE AS new_contact
       FOR EACH STATEMENT EXECUTE FUNCTION contact_log_insert()`,

    `CREATE FUNCTION contact_log_update() RETURNS trigger LANGUAGE plpgsql AS $$
     DECLARE
       before text := contact_document(OLD.full_name, OLD.email);
       after text := contact_document(NEW.full_name, NEW.email);
     BEGIN
       IF (OLD.id, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.created_at) THEN
         DELETE FROM contact_search WHERE created_at = OLD.created_at AND contact_id = OLD.id;
       END IF;
       IF (OLD.id, OLD.created_at, before) IS DISTINCT FROM (NEW.id, NEW.created_at, after) THEN
         INSERT INTO contact_search (contact_id, created_at, document) VALUES (NEW.id, NEW.created_at, after)
         ON CONFLICT (created_at, contact_id) DO UPDATE SET document = EXCLUDED.document;
       END IF;
       INSERT INTO contact_change (${LOGGED})
       VALUES (-1, ${columnsOf('OLD')}, before), (1, ${columnsOf('NEW')}, after);
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER contact_log_update AFTER UPDATE ON contact FOR EACH ROW
       WHEN ((${columnsOf('OLD', WATCHED)}) IS DISTINCT FROM (${columnsOf('NEW', WATCHED)}))
       EXECUTE FUNCTION contact_log_update()`,

    `CREATE FUNCTION contact_log_delete() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       DELETE FROM contact_search WHERE created_at = OLD.created_at AND contact_id = OLD.id;
       INSERT INTO contact_change (${LOGGED})
       VALUES (-1, ${columnsOf('OLD')}, contact_document(OLD.full_name, OLD.email));
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER contact_log_delete AFTER DELETE ON contact FOR EACH ROW EXECUTE FUNCTION contact_log_delete()`,

    // STABLE, so that it sees what the statement that calls it sees.
    `CREATE FUNCTION contact_changes_since(as_of pg_snapshot) RETURNS SETOF contact_change
       LANGUAGE plpgsql STABLE ROWS 100 ${READ_BY_INDEX} AS $$
     BEGIN
       RETURN QUERY
         SELECT * FROM contact_change WHERE xid >= pg_snapshot_xmax(as_of)
         UNION ALL
         SELECT * FROM contact_change WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(as_of)));
     END $$`,
  ],

  down: [
    `DROP TRIGGER contact_log_delete ON contact`,
    `DROP TRIGGER contact_log_update ON contact`,
    `DROP TRIGGER contact_log_insert ON contact`,
    `DROP FUNCTION contact_changes_since(pg_snapshot)`,
    `DROP FUNCTION contact_log_delete()`,
    `DROP FUNCTION contact_log_update()`,
    `DROP FUNCTION contact_log_insert()`,
    `DROP TABLE contact_change`,
    `DROP TABLE contact_search`,
    `DROP FUNCTION contact_document(text, text)`,
  ],
};
