// An index of where words meet in a search document. Trigrams stay within words, and each of those of a first and a last
// name is in many documents: to find the few that hold both names, all of them were read.
import type { Migration } from '../src/database/migration.ts';

/** What lies between words: of ASCII all that is neither letter nor digit, but for the line feed before the e-mail. */
const BETWEEN = `'[ -/:-@\\[-\`{-~]+' COLLATE "C"`;

export const migration: Migration = {
  withoutTransaction: 'the index is built CONCURRENTLY',
  up: [
    // "anna-maria wagner" has "nna maria" and "ria wagner": three letters before and six after, whatever lies between.
    `CREATE OR REPLACE FUNCTION search_meetings(document text) RETURNS tsvector
       LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
     DECLARE
       word text;
       before text;
       meetings text[] := '{}';
     BEGIN
       FOREACH word IN ARRAY regexp_split_to_array(document, ${BETWEEN}) LOOP
         IF before IS NOT NULL THEN
           meetings := meetings || (right(before, 3) || ' ' || left(word, 6));
         END IF;
         before := word;
       END LOOP;
       RETURN array_to_tsvector(meetings);
     END $$`,

    // What every document has that holds the normalized term, whatever comes before it and after it; null where the term
    // says nothing of meetings. Quotes lie between words, so there are none to be escaped. What is found is few, however
    // many the planner expects of a beginning: not parallel safe means that it takes no other processes for it.
    `CREATE OR REPLACE FUNCTION search_term_meetings(term text) RETURNS tsquery
       LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE AS $$
     DECLARE
       words text[] := regexp_split_to_array(term, ${BETWEEN});
       meetings text;
     BEGIN
       FOR at IN 2 .. cardinality(words) LOOP
         CONTINUE WHEN at = 2 AND char_length(words[1]) < 3;
         meetings := concat_ws(' & ', meetings, quote_literal(right(words[at - 1], 3) || ' ' || left(words[at], 6)));
         IF at = cardinality(words) AND char_length(words[at]) < 6 THEN
           meetings := meetings || ':*';
         END IF;
       END LOOP;
       RETURN meetings::tsquery;
     END $$`,

    // Without a list of entries still to be sorted in: they are few, and every search would read all of it.
    {
      index: 'contact_search_meeting_ix',
      on: 'contact_search USING gin (search_meetings(document)) WITH (fastupdate = off)',
    },
    // How frequent each is, from which follows what else is worth looking at.
    `ANALYZE contact_search`,
  ],
  down: [
    `DROP INDEX CONCURRENTLY IF EXISTS contact_search_meeting_ix`,
    `DROP FUNCTION IF EXISTS search_term_meetings(text)`,
    `DROP FUNCTION IF EXISTS search_meetings(text)`,
  ],
};
