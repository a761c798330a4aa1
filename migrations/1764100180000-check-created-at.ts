// A date that comes after every date, or before, is in no month, day or hour: what is created then could not be counted.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  withoutTransaction: 'a full table is checked while it is in use',
  alters: ['contact'],
  up: [
    `ALTER TABLE contact DROP CONSTRAINT IF EXISTS contact_created_at_ck,
       ADD CONSTRAINT contact_created_at_ck CHECK (isfinite(created_at)) NOT VALID`,
    `ALTER TABLE contact VALIDATE CONSTRAINT contact_created_at_ck`,
  ],
  down: [`ALTER TABLE contact DROP CONSTRAINT IF EXISTS contact_created_at_ck`],
};
