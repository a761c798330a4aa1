// How often callers may ask: a limit of a key's own, and one bucket of requests per caller that all processes share.
import type { Migration } from '../src/database/migration.ts';

const notifiesOf = (columns: string): string =>
  `CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF ${columns}
     ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_notify()`;

const BEFORE =
  'secret_hash, previous_secret_hash, previous_expires_at, scopes, allowed_cidrs, expires_at, revoked_at';

export const migration: Migration = {
  alters: ['api_key'],
  up: [
    `ALTER TABLE api_key ADD COLUMN rate_limit integer,
       ADD CONSTRAINT api_key_rate_limit_ck CHECK (rate_limit >= 0) NOT VALID`,
    `DROP TRIGGER api_key_changed ON api_key`,
    notifiesOf(`${BEFORE}, rate_limit`),

    // Unlogged: it is written several times a second, and losing it in a crash only fills every bucket.
    `CREATE UNLOGGED TABLE rate_limit (
       bucket text COLLATE "C" NOT NULL,
       full_at timestamptz NOT NULL,
       CONSTRAINT rate_limit_pk PRIMARY KEY (bucket)
     ) WITH (fillfactor = 50)`,
  ],
  down: [
    `DROP TABLE rate_limit`,
    `DROP TRIGGER api_key_changed ON api_key`,
    notifiesOf(BEFORE),
    `ALTER TABLE api_key DROP COLUMN rate_limit`,
  ],
};
