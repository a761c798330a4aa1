// Search documents and counts of the contacts that were there before the log: while reads and writes go on.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  withoutTransaction: 'a full table is read in batches, and its indexes are built CONCURRENTLY',
  up: [
    // Oldest first, so that the table lies in the list's order. What a writer made or changed meanwhile is newer and
    // stays. The lock keeps a contact from being deleted between being read and having its document written.
    {
      fill: 'search documents',
      of: 'contact',
      batch: `
        WITH batch AS MATERIALIZED (
          SELECT id, created_at, full_name, email FROM contact
          WHERE (created_at, id) > (COALESCE($1::jsonb->>'created_at', '-infinity')::timestamptz, COALESCE($1::jsonb->>'id', ''))
          ORDER BY created_at, id LIMIT 5000 FOR KEY SHARE
        ), filled AS (
          INSERT INTO contact_search (contact_id, created_at, document)
          SELECT id, created_at, contact_document(full_name, email) FROM batch
          ON CONFLICT (created_at, contact_id) DO NOTHING
        )
        SELECT (SELECT count(*) FROM batch)::int AS rows,
          (SELECT jsonb_build_object('created_at', created_at, 'id', id) FROM batch
           ORDER BY created_at DESC, id DESC LIMIT 1) AS next`,
    },
    { index: 'contact_search_document_ix', on: 'contact_search USING gin (document gin_trgm_ops)' },

    // Trigrams say nothing of terms of one or two characters. Of ASCII these are frequent and found by walking the
    // list; in other scripts, Chinese first of all, they are whole names.
    `CREATE OR REPLACE FUNCTION search_short_terms(document text) RETURNS text[]
       LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
       RETURN ARRAY(
         SELECT term FROM generate_series(1, char_length(document)) AS at,
           LATERAL (VALUES (substr(document, at, 1)), (substr(document, at, 2))) AS starting (term)
         WHERE octet_length(term) > char_length(term))`,
    {
      index: 'contact_search_short_ix',
      on: `contact_search USING gin (search_short_terms(document))
       WHERE octet_length(document) > char_length(document)`,
    },
    `ANALYZE contact_search`,
    `SELECT contact_recount()`,
    `ANALYZE contact_count`,
  ],
  down: [
    `DROP INDEX CONCURRENTLY IF EXISTS contact_search_short_ix`,
    `DROP FUNCTION IF EXISTS search_short_terms(text)`,
    `DROP INDEX CONCURRENTLY IF EXISTS contact_search_document_ix`,
    `TRUNCATE contact_search`,
  ],
};
