// What was answered to writes with an Idempotency-Key, for retries of them.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  up: [
    `CREATE TABLE idempotent_write (
       id bytea NOT NULL,
       fingerprint bytea NOT NULL,
       answer bytea,
       created_at timestamptz NOT NULL DEFAULT now(),
       CONSTRAINT idempotent_write_pk PRIMARY KEY (id)
     )`,
    // For those who sweep away what has expired.
    `CREATE INDEX idempotent_write_created_ix ON idempotent_write (created_at)`,
  ],
  down: [`DROP TABLE idempotent_write`],
};
