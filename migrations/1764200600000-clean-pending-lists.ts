// What a GIN index has still to sort in is sorted in beside the writes, by the service. Until now the writer who filled an
// index's list did that, for a tenth of a second and more, and those who came with it waited.
import type { Migration } from '../src/database/migration.ts';

/** All of this kind; their lists are filled only by who writes more in a second than is sorted in meanwhile. */
const INDEXES = [
  'contact_search_document_ix',
  'contact_search_short_ix',
  'contact_search_meeting_ix',
  'contact_tags_ix',
  'company_search_ix',
];

export const migration: Migration = {
  withoutTransaction:
    'whoever uses one of the indexes may be about to use another: no two may be held at once',
  alters: ['company', 'contact', 'contact_search'],
  up: [
    // Only the owner of an index may. The service calls it in every process, and one at a time does it. It goes on for as
    // long as others write faster than it sorts, and they leave it to whoever has begun: statement_timeout stops it now and
    // then, for them to do their part, and chance gives each index its turn. Who waited longer for a vacuum, which sorts
    // in, too, would end it.
    `CREATE OR REPLACE FUNCTION clean_pending_lists() RETURNS bigint
       LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
     DECLARE
       cleaned bigint := 0;
       index regclass;
     BEGIN
       -- Writes nothing that such a server would refuse by itself: nobody shall stay with a primary of the past.
       IF current_setting('transaction_read_only')::boolean THEN
         RAISE read_only_sql_transaction USING MESSAGE = 'the server is read-only';
       END IF;
       IF NOT pg_try_advisory_xact_lock(hashtext('clean_pending_lists')) THEN RETURN NULL; END IF;
       FOR index IN
         SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
         WHERE amname = 'gin' AND indisvalid
           AND indrelid IN ('public.contact'::regclass, 'public.contact_search'::regclass, 'public.company'::regclass)
         ORDER BY random()
       LOOP
         cleaned := cleaned + gin_clean_pending_list(index);
       END LOOP;
       RETURN cleaned;
     EXCEPTION WHEN query_canceled OR lock_not_available THEN
       RETURN cleaned;
     END $$`,
    `REVOKE EXECUTE ON FUNCTION clean_pending_lists FROM PUBLIC`,
    `ALTER INDEX contact_search_meeting_ix RESET (fastupdate)`,
    // In kB: what a server has that nobody has configured.
    ...INDEXES.map((index) => `ALTER INDEX ${index} SET (gin_pending_list_limit = 4096)`),
  ],
  down: [
    `DROP FUNCTION IF EXISTS clean_pending_lists`,
    ...INDEXES.map((index) => `ALTER INDEX ${index} SET (gin_pending_list_limit = 512)`),
    `ALTER INDEX contact_search_meeting_ix RESET (gin_pending_list_limit)`,
    `ALTER INDEX contact_search_meeting_ix SET (fastupdate = off)`,
    `SELECT gin_clean_pending_list('contact_search_meeting_ix')`,
  ],
};
