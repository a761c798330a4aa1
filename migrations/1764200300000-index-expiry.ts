// Indexes by which rows that have been kept long enough are found: of sessions by their latest end, which never moves, so
// that a session in use is still updated in place.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  withoutTransaction: 'the indexes are built CONCURRENTLY',
  up: [
    { index: 'magic_link_created_ix', on: 'magic_link (created_at)' },
    { index: 'portal_session_expires_ix', on: 'portal_session (expires_at)' },
  ],
  down: [
    `DROP INDEX CONCURRENTLY IF EXISTS portal_session_expires_ix`,
    `DROP INDEX CONCURRENTLY IF EXISTS magic_link_created_ix`,
  ],
};
