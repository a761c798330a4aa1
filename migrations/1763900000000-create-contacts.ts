// Companies, contacts and API keys, with every rule the contract promises kept by the database itself.
import type { Migration } from '../src/database/migration.ts';

export const migration: Migration = {
  up: [
    `CREATE EXTENSION IF NOT EXISTS pg_trgm`,
    `CREATE EXTENSION IF NOT EXISTS unaccent`,

    // The two-argument unaccent() with a qualified dictionary is what makes IMMUTABLE true; the ICU collation
    // makes lower() the same on every server, whatever locale its database was created with.
    `CREATE FUNCTION search_normalize(value text) RETURNS text
       LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
       RETURN lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, NFKC)) COLLATE "und-x-icu")
              COLLATE "default"`,

    // LIKE pattern for a substring search in which % and _ are plain characters.
    `CREATE FUNCTION search_pattern(term text) RETURNS text
       LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
       RETURN '%' || replace(replace(replace(search_normalize(term), '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%'`,

    `CREATE FUNCTION contact_full_name(override text, first_name text, last_name text) RETURNS text
       LANGUAGE sql IMMUTABLE PARALLEL SAFE
       RETURN COALESCE(override, NULLIF(btrim(COALESCE(first_name, '') || ' ' || COALESCE(last_name, '')), ''))`,

    `CREATE TABLE company (
       id text COLLATE "C" NOT NULL,
       name text NOT NULL,
       domain text COLLATE "C",
       industry text,
       employee_count integer,
       revenue_range text,
       company_type text NOT NULL DEFAULT 'prospect',
       status text NOT NULL DEFAULT 'active',
       product text,
       source text NOT NULL DEFAULT 'manual',
       health_score smallint NOT NULL DEFAULT 50,
       monthly_revenue numeric(15, 2),
       total_contract_value numeric(15, 2),
       notes text,
       created_at timestamptz NOT NULL DEFAULT now(),
       updated_at timestamptz NOT NULL DEFAULT now(),
       search_text text GENERATED ALWAYS AS (
         search_normalize(name) || E'\\n' || COALESCE(search_normalize(domain), '')
       ) STORED,
       CONSTRAINT company_pk PRIMARY KEY (id),
       CONSTRAINT company_id_ck CHECK (id ~ '^co_[a-z0-9]{1,32}$'),
       CONSTRAINT company_name_ck CHECK (btrim(name) <> ''),
       CONSTRAINT company_employee_count_ck CHECK (employee_count >= 0),
       CONSTRAINT company_health_score_ck CHECK (health_score BETWEEN 0 AND 100),
       CONSTRAINT company_monthly_revenue_ck CHECK (monthly_revenue >= 0),
       CONSTRAINT company_total_contract_value_ck CHECK (total_contract_value >= 0)
     )`,
    `CREATE INDEX company_name_ix ON company (name COLLATE "und-x-icu", id)`,
    `CREATE INDEX company_revenue_ix ON company ((COALESCE(monthly_revenue, -1)) DESC, id DESC)`,
    `CREATE INDEX company_search_ix ON company USING gin (search_text gin_trgm_ops)`,

    `CREATE TABLE contact (
       id text COLLATE "C" NOT NULL,
       email text COLLATE "C",
       company_id text COLLATE "C",
       first_name text,
       last_name text,
       full_name_override text,
       full_name text GENERATED ALWAYS AS (contact_full_name(full_name_override, first_name, last_name)) STORED,
       title text,
       role text,
       department text,
       phone text,
       contact_type text NOT NULL DEFAULT 'end_user',
       source text NOT NULL DEFAULT 'manual',
       pipeline_stage text,
       funnel_stage text,
       product text,
       engagement_score double precision,
       last_engagement_at timestamptz,
       enrichment_status text,
       enrichment_data jsonb,
       linkedin_url text,
       photo_url text,
       close_lead_id text,
       close_contact_id text,
       tags text,
       notes text,
       portal_access smallint NOT NULL DEFAULT 0,
       portal_role text,
       created_at timestamptz NOT NULL DEFAULT now(),
       updated_at timestamptz NOT NULL DEFAULT now(),
       search_text text GENERATED ALWAYS AS (
         COALESCE(search_normalize(contact_full_name(full_name_override, first_name, last_name)), '')
         || E'\\n' || COALESCE(email, '')
       ) STORED,
       CONSTRAINT contact_pk PRIMARY KEY (id),
       CONSTRAINT contact_company_fk FOREIGN KEY (company_id) REFERENCES company (id),
       CONSTRAINT contact_id_ck CHECK (id ~ '^ct_[a-z0-9]{1,32}$'),
       CONSTRAINT contact_email_or_company_ck CHECK (email IS NOT NULL OR company_id IS NOT NULL),
       CONSTRAINT contact_email_ck CHECK (email ~ '^[!-?A-~]+@[a-z0-9.-]+$' AND email = lower(email)),
       CONSTRAINT contact_type_ck CHECK (contact_type ~ '^[a-z0-9][a-z0-9_-]*$'),
       CONSTRAINT contact_engagement_score_ck CHECK (engagement_score >= 0 AND engagement_score < 'Infinity'),
       CONSTRAINT contact_enrichment_data_ck CHECK (jsonb_typeof(enrichment_data) = 'object'),
       CONSTRAINT contact_portal_access_ck CHECK (portal_access IN (0, 1)),
       CONSTRAINT contact_portal_role_ck CHECK (portal_role IN ('client_admin', 'client_viewer')),
       CONSTRAINT contact_portal_email_ck CHECK (portal_access = 0 OR email IS NOT NULL),
       CONSTRAINT contact_portal_role_given_ck CHECK (portal_access = 0 OR portal_role IS NOT NULL)
     )`,
    `CREATE UNIQUE INDEX contact_email_uq ON contact (email)`,

    // portal_access without a role becomes client_viewer, whoever writes the row.
    `CREATE FUNCTION contact_default_portal_role() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       NEW.portal_role := 'client_viewer';
       RETURN NEW;
     END $$`,
    `CREATE TRIGGER contact_default_portal_role
       BEFORE INSERT OR UPDATE OF portal_access, portal_role ON contact
       FOR EACH ROW WHEN (NEW.portal_access = 1 AND NEW.portal_role IS NULL)
       EXECUTE FUNCTION contact_default_portal_role()`,

    // Lists: each filter together with the list's order, so that a page is read straight from its index.
    `CREATE INDEX contact_created_ix ON contact (created_at DESC, id DESC)`,
    `CREATE INDEX contact_company_ix ON contact (company_id, created_at DESC, id DESC)`,
    `CREATE INDEX contact_type_ix ON contact (contact_type, created_at DESC, id DESC)`,
    `CREATE INDEX contact_source_ix ON contact (source, created_at DESC, id DESC)`,
    `CREATE INDEX contact_type_source_ix ON contact (contact_type, source, created_at DESC, id DESC)`,
    `CREATE INDEX contact_product_ix ON contact (product, created_at DESC, id DESC) WHERE product IS NOT NULL`,
    `CREATE INDEX contact_pipeline_stage_ix ON contact (pipeline_stage, created_at DESC, id DESC)
       WHERE pipeline_stage IS NOT NULL`,
    `CREATE INDEX contact_funnel_stage_ix ON contact (funnel_stage, created_at DESC, id DESC)
       WHERE funnel_stage IS NOT NULL`,
    `CREATE INDEX contact_portal_ix ON contact (portal_role, created_at DESC, id DESC) WHERE portal_access = 1`,
    `CREATE INDEX contact_tags_ix ON contact USING gin (string_to_array(tags, ','))`,
    `CREATE INDEX contact_search_ix ON contact USING gin (search_text gin_trgm_ops)`,

    // Sorts: a missing value counts as the smallest, so one index serves both directions.
    `CREATE INDEX contact_updated_ix ON contact (updated_at, id)`,
    `CREATE INDEX contact_full_name_ix ON contact ((COALESCE(full_name, '') COLLATE "und-x-icu"), id)`,
    `CREATE INDEX contact_email_sort_ix ON contact ((COALESCE(email, '')), id)`,
    `CREATE INDEX contact_engagement_ix ON contact ((COALESCE(engagement_score, -1)), id)`,

    `CREATE TABLE api_key (
       id text COLLATE "C" NOT NULL,
       name text NOT NULL,
       secret_hash bytea NOT NULL,
       previous_secret_hash bytea,
       previous_expires_at timestamptz,
       scopes text[] NOT NULL,
       allowed_cidrs text[],
       created_at timestamptz NOT NULL DEFAULT now(),
       expires_at timestamptz,
       last_used_at timestamptz,
       revoked_at timestamptz,
       CONSTRAINT api_key_pk PRIMARY KEY (id),
       CONSTRAINT api_key_id_ck CHECK (id ~ '^[a-z0-9]{12}$'),
       CONSTRAINT api_key_secret_ck CHECK (octet_length(secret_hash) = 32),
       CONSTRAINT api_key_previous_ck CHECK ((previous_secret_hash IS NULL) = (previous_expires_at IS NULL))
     )`,

    // Every process listens: what it remembers of a key is forgotten the moment the key changes.
    `CREATE FUNCTION api_key_notify() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       PERFORM pg_notify('api_key_changed', OLD.id);
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER api_key_changed
       AFTER DELETE OR UPDATE OF secret_hash, previous_secret_hash, previous_expires_at, scopes, allowed_cidrs,
         expires_at, revoked_at
       ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_notify()`,
  ],

  // The extensions stay: they may have been there before, and others may use them.
  down: [
    `DROP TABLE api_key`,
    `DROP FUNCTION api_key_notify()`,
    `DROP TABLE contact`,
    `DROP FUNCTION contact_default_portal_role()`,
    `DROP TABLE company`,
    `DROP FUNCTION contact_full_name(text, text, text)`,
    `DROP FUNCTION search_pattern(text)`,
    `DROP FUNCTION search_normalize(text)`,
  ],
};
