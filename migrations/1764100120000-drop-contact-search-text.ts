// The contact's own search text, which contact_search replaces: every write kept its index up to date.
// No release read it; from the next one on, what a running release still reads is dropped one release later.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  alters: ['contact'],
  up: [`ALTER TABLE contact DROP COLUMN search_text`],
  // Writes the whole table anew, and everybody waits for it: not while it is in use.
  down: [
    `ALTER TABLE contact ADD COLUMN search_text text GENERATED ALWAYS AS (
       COALESCE(search_normalize(contact_full_name(full_name_override, first_name, last_name)), '')
       || E'\\n' || COALESCE(email, '')
     ) STORED`,
    `CREATE INDEX contact_search_ix ON contact USING gin (search_text gin_trgm_ops)`,
  ],
};
