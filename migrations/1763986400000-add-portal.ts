// Portal sign-in: signing keys, magic links, sessions, linked identities, and the audit log.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  up: [
    `CREATE TABLE signing_key (
       kid text COLLATE "C" NOT NULL,
       status text NOT NULL,
       public_jwk jsonb NOT NULL,
       sealed_private_jwk bytea NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now(),
       CONSTRAINT signing_key_pk PRIMARY KEY (kid),
       CONSTRAINT signing_key_status_ck CHECK (status IN ('next', 'active', 'retired'))
     )`,
    // One key signs and one waits, however many processes rotate at once.
    `CREATE UNIQUE INDEX signing_key_current_uq ON signing_key (status) WHERE status <> 'retired'`,

    `CREATE TABLE portal_session (
       id text COLLATE "C" NOT NULL,
       contact_id text COLLATE "C" NOT NULL,
       method text NOT NULL,
       client_address inet,
       user_agent text,
       created_at timestamptz NOT NULL DEFAULT now(),
       last_used_at timestamptz NOT NULL DEFAULT now(),
       idle_until timestamptz NOT NULL,
       expires_at timestamptz NOT NULL,
       ended_at timestamptz,
       end_reason text,
       CONSTRAINT portal_session_pk PRIMARY KEY (id),
       CONSTRAINT portal_session_contact_fk FOREIGN KEY (contact_id) REFERENCES contact (id) ON DELETE CASCADE,
       CONSTRAINT portal_session_method_ck CHECK (method IN ('magic_link', 'google')),
       CONSTRAINT portal_session_end_ck CHECK ((ended_at IS NULL) = (end_reason IS NULL))
     )`,
    `CREATE INDEX portal_session_contact_ix ON portal_session (contact_id, created_at DESC)`,

    `CREATE TABLE refresh_token (
       token_hash bytea NOT NULL,
       session_id text COLLATE "C" NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now(),
       used_at timestamptz,
       CONSTRAINT refresh_token_pk PRIMARY KEY (token_hash),
       CONSTRAINT refresh_token_session_fk FOREIGN KEY (session_id) REFERENCES portal_session (id) ON DELETE CASCADE
     )`,
    `CREATE INDEX refresh_token_session_ix ON refresh_token (session_id)`,

    // Requests for unknown addresses are kept like all others: the same work, and the same caps.
    `CREATE TABLE magic_link (
       id text COLLATE "C" NOT NULL,
       address_hash bytea NOT NULL,
       client_address inet NOT NULL,
       contact_id text COLLATE "C",
       token_hash bytea NOT NULL,
       code_hash bytea NOT NULL,
       attempts smallint NOT NULL DEFAULT 0,
       redirect text NOT NULL,
       product text,
       created_at timestamptz NOT NULL DEFAULT now(),
       expires_at timestamptz NOT NULL,
       used_at timestamptz,
       voided_at timestamptz,
       CONSTRAINT magic_link_pk PRIMARY KEY (id),
       CONSTRAINT magic_link_contact_fk FOREIGN KEY (contact_id) REFERENCES contact (id) ON DELETE CASCADE,
       CONSTRAINT magic_link_attempts_ck CHECK (attempts BETWEEN 0 AND 5)
     )`,
    `CREATE UNIQUE INDEX magic_link_token_uq ON magic_link (token_hash)`,
    `CREATE INDEX magic_link_address_ix ON magic_link (address_hash, created_at DESC)`,
    `CREATE INDEX magic_link_client_ix ON magic_link (client_address, created_at DESC)`,
    `CREATE INDEX magic_link_contact_ix ON magic_link (contact_id) WHERE used_at IS NULL AND voided_at IS NULL`,

    `CREATE TABLE portal_identity (
       issuer text NOT NULL,
       subject text NOT NULL,
       contact_id text COLLATE "C" NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now(),
       CONSTRAINT portal_identity_pk PRIMARY KEY (issuer, subject),
       CONSTRAINT portal_identity_contact_fk FOREIGN KEY (contact_id) REFERENCES contact (id) ON DELETE CASCADE
     )`,
    `CREATE INDEX portal_identity_contact_ix ON portal_identity (contact_id)`,

    // Whoever withdraws access or changes the address ends what hangs on it, in the same transaction.
    `CREATE FUNCTION contact_end_sign_ins() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       UPDATE portal_session
         SET ended_at = now(),
             end_reason = CASE WHEN NEW.portal_access = 1 THEN 'email_changed' ELSE 'access_withdrawn' END
         WHERE contact_id = NEW.id AND ended_at IS NULL;
       UPDATE magic_link SET voided_at = now()
         WHERE contact_id = NEW.id AND used_at IS NULL AND voided_at IS NULL;
       IF NEW.email IS DISTINCT FROM OLD.email THEN
         DELETE FROM portal_identity WHERE contact_id = NEW.id;
       END IF;
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER contact_end_sign_ins
       AFTER UPDATE OF email, portal_access ON contact
       FOR EACH ROW
       WHEN (OLD.email IS DISTINCT FROM NEW.email OR (OLD.portal_access = 1 AND NEW.portal_access = 0))
       EXECUTE FUNCTION contact_end_sign_ins()`,

    `CREATE TABLE auth_audit_log (
       id bigint GENERATED ALWAYS AS IDENTITY,
       at timestamptz NOT NULL DEFAULT clock_timestamp(),
       event text NOT NULL,
       actor_kind text NOT NULL,
       actor_id text,
       subject_id text,
       client_address inet,
       request_id text,
       details jsonb NOT NULL DEFAULT '{}',
       CONSTRAINT auth_audit_log_pk PRIMARY KEY (id),
       CONSTRAINT auth_audit_log_actor_ck CHECK (actor_kind IN ('key', 'contact', 'operator', 'visitor'))
     )`,
    `CREATE INDEX auth_audit_log_at_ix ON auth_audit_log (at DESC, id DESC)`,
    `CREATE INDEX auth_audit_log_subject_ix ON auth_audit_log (subject_id, at DESC, id DESC)`,
    `CREATE INDEX auth_audit_log_actor_ix ON auth_audit_log (actor_id, at DESC, id DESC)`,
    `CREATE INDEX auth_audit_log_event_ix ON auth_audit_log (event, at DESC, id DESC)`,
    // Append-only for the service and for everybody who may not disable a trigger.
    `CREATE FUNCTION auth_audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       RAISE EXCEPTION 'auth_audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
     END $$`,
    `CREATE TRIGGER auth_audit_log_append_only
       BEFORE UPDATE OR DELETE OR TRUNCATE ON auth_audit_log
       FOR EACH STATEMENT EXECUTE FUNCTION auth_audit_log_refuse()`,
  ],
  down: [
    `DROP TABLE auth_audit_log`,
    `DROP FUNCTION auth_audit_log_refuse()`,
    `DROP TRIGGER contact_end_sign_ins ON contact`,
    `DROP FUNCTION contact_end_sign_ins()`,
    `DROP TABLE portal_identity`,
    `DROP TABLE magic_link`,
    `DROP TABLE refresh_token`,
    `DROP TABLE portal_session`,
    `DROP TABLE signing_key`,
  ],
};
