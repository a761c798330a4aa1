// Audit entries may go after 90 days, and not before, whoever asks. The function lets the service remove them, which may
// not delete from the table itself.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  alters: ['auth_audit_log'],
  up: [
    `DROP TRIGGER auth_audit_log_append_only ON auth_audit_log`,
    `CREATE TRIGGER auth_audit_log_append_only
       BEFORE UPDATE OR TRUNCATE ON auth_audit_log
       FOR EACH STATEMENT EXECUTE FUNCTION auth_audit_log_refuse()`,
    `CREATE TRIGGER auth_audit_log_keep
       BEFORE DELETE ON auth_audit_log
       FOR EACH ROW WHEN (OLD.at > now() - interval '90 days') EXECUTE FUNCTION auth_audit_log_refuse()`,
    // Its names are resolved here and now, so no search_path can lead it to other tables.
    `CREATE FUNCTION auth_audit_log_sweep(older_than interval, at_most integer) RETURNS integer
       LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
     BEGIN ATOMIC
       WITH gone AS (
         DELETE FROM auth_audit_log WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM auth_audit_log WHERE at < now() - older_than
           ORDER BY at, id LIMIT at_most FOR UPDATE SKIP LOCKED
         )) RETURNING 1
       )
       SELECT count(*)::integer AS removed FROM gone;
     END`,
    `REVOKE EXECUTE ON FUNCTION auth_audit_log_sweep FROM PUBLIC`,
  ],
  down: [
    `DROP FUNCTION auth_audit_log_sweep`,
    `DROP TRIGGER auth_audit_log_keep ON auth_audit_log`,
    `DROP TRIGGER auth_audit_log_append_only ON auth_audit_log`,
    `CREATE TRIGGER auth_audit_log_append_only
       BEFORE UPDATE OR DELETE OR TRUNCATE ON auth_audit_log
       FOR EACH STATEMENT EXECUTE FUNCTION auth_audit_log_refuse()`,
  ],
};
