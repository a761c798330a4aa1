// When a signing key was retired: it verifies as long as a token it signed may be good, and no longer.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  alters: ['signing_key'],
  // Of keys that were retired before, nothing is known until the next rotation.
  up: [`ALTER TABLE signing_key ADD COLUMN retired_at timestamptz`],
  down: [`ALTER TABLE signing_key DROP COLUMN retired_at`],
};
