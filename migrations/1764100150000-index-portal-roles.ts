// An index for portal_role alone: that of access knows no role without it. Within a company, whose contacts are few, a
// plan for any values does not use it: it would collect everybody with the role.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  withoutTransaction: 'the index is built CONCURRENTLY',
  up: [
    {
      index: 'contact_portal_role_ix',
      on: `contact (portal_role, created_at DESC, id DESC) WHERE portal_role IN ('client_admin', 'client_viewer')`,
    },
  ],
  down: [`DROP INDEX CONCURRENTLY IF EXISTS contact_portal_role_ix`],
};
