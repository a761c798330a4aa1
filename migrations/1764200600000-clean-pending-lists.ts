// What a GIN index has still to sort in is sorted in beside the writes, by the service, twice a second. Until now the
// writer who filled an index's list did that, for a tenth of a second and more, and those who came with it waited.
import type { Migration } from '../src/database/migration.ts';

/** Filled only by who writes more in a moment than others can sort in meanwhile. */
const INDEXES = [
  'contact_search_document_ix',
  'contact_search_short_ix',
  'contact_search_meeting_ix',
  'contact_tags_ix',
  'company_search_ix',
];

export const migration: Migration = {
  up: [
    // Only the owner of an index may. The service calls it in every process, and one at a time does it.
    `CREATE FUNCTION clean_pending_lists() RETURNS bigint
       LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
     BEGIN
       IF NOT pg_try_advisory_xact_lock(hashtext('clean_pending_lists')) THEN RETURN NULL; END IF;
       RETURN (
         SELECT COALESCE(sum(gin_clean_pending_list(indexrelid)), 0)
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
         WHERE amname = 'gin' AND indisvalid
           AND indrelid IN ('public.contact'::regclass, 'public.contact_search'::regclass, 'public.company'::regclass)
       );
     END $$`,
    `REVOKE EXECUTE ON FUNCTION clean_pending_lists FROM PUBLIC`,
    `ALTER INDEX contact_search_meeting_ix RESET (fastupdate)`,
    ...INDEXES.map((index) => `ALTER INDEX ${index} SET (gin_pending_list_limit = 2048)`),
  ],
  down: [
    ...INDEXES.map((index) => `ALTER INDEX ${index} SET (gin_pending_list_limit = 512)`),
    `ALTER INDEX contact_search_meeting_ix RESET (gin_pending_list_limit)`,
    `ALTER INDEX contact_search_meeting_ix SET (fastupdate = off)`,
    `SELECT gin_clean_pending_list('contact_search_meeting_ix')`,
    `DROP FUNCTION clean_pending_lists`,
  ],
};
