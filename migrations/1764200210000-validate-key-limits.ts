// The limits of keys are checked from the migration before on; that the earlier ones fit, too, holds nobody up.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  up: [`ALTER TABLE api_key VALIDATE CONSTRAINT api_key_rate_limit_ck`],
  down: [
    `ALTER TABLE api_key DROP CONSTRAINT api_key_rate_limit_ck,
       ADD CONSTRAINT api_key_rate_limit_ck CHECK (rate_limit >= 0) NOT VALID`,
  ],
};
