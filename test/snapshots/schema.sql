EXTENSION pg_trgm;
EXTENSION unaccent;

CREATE OR REPLACE FUNCTION public.api_key_notify()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       PERFORM pg_notify('api_key_changed', OLD.id);
       RETURN NULL;
     END $function$;
CREATE OR REPLACE FUNCTION public.auth_audit_log_refuse()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       RAISE EXCEPTION 'auth_audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_default_portal_role()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       NEW.portal_role := 'client_viewer';
       RETURN NEW;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_end_sign_ins()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_full_name(override text, first_name text, last_name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN COALESCE(override, NULLIF(btrim(((COALESCE(first_name, ''::text) || ' '::text) || COALESCE(last_name, ''::text))), ''::text));
CREATE OR REPLACE FUNCTION public.search_normalize(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (lower((unaccent('unaccent'::regdictionary, NORMALIZE(value, NFKC)) COLLATE "und-x-icu")) COLLATE "default");
CREATE OR REPLACE FUNCTION public.search_pattern(term text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (('%'::text || replace(replace(replace(search_normalize(term), '\'::text, '\\'::text), '%'::text, '\%'::text), '_'::text, '\_'::text)) || '%'::text);

TABLE api_key (
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  secret_hash bytea NOT NULL,
  previous_secret_hash bytea,
  previous_expires_at timestamp with time zone,
  scopes text[] NOT NULL,
  allowed_cidrs text[],
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  revoked_at timestamp with time zone,
  CONSTRAINT api_key_id_ck CHECK ((id ~ '^[a-z0-9]{12}$'::text)),
  CONSTRAINT api_key_pk PRIMARY KEY (id),
  CONSTRAINT api_key_previous_ck CHECK (((previous_secret_hash IS NULL) = (previous_expires_at IS NULL))),
  CONSTRAINT api_key_secret_ck CHECK ((octet_length(secret_hash) = 32))
);
TABLE auth_audit_log (
  id bigint NOT NULL IDENTITY ALWAYS,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  event text NOT NULL,
  actor_kind text NOT NULL,
  actor_id text,
  subject_id text,
  client_address inet,
  request_id text,
  details jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT auth_audit_log_actor_ck CHECK ((actor_kind = ANY (ARRAY['key'::text, 'contact'::text, 'operator'::text, 'visitor'::text]))),
  CONSTRAINT auth_audit_log_pk PRIMARY KEY (id)
);
TABLE company (
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  domain text COLLATE "C",
  industry text,
  employee_count integer,
  revenue_range text,
  company_type text NOT NULL DEFAULT 'prospect'::text,
  status text NOT NULL DEFAULT 'active'::text,
  product text,
  source text NOT NULL DEFAULT 'manual'::text,
  health_score smallint NOT NULL DEFAULT 50,
  monthly_revenue numeric(15,2),
  total_contract_value numeric(15,2),
  notes text,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  search_text text GENERATED ((search_normalize(name) || '
'::text) || COALESCE(search_normalize(domain), ''::text)),
  CONSTRAINT company_employee_count_ck CHECK ((employee_count >= 0)),
  CONSTRAINT company_health_score_ck CHECK (((health_score >= 0) AND (health_score <= 100))),
  CONSTRAINT company_id_ck CHECK ((id ~ '^co_[a-z0-9]{1,32}$'::text)),
  CONSTRAINT company_monthly_revenue_ck CHECK ((monthly_revenue >= (0)::numeric)),
  CONSTRAINT company_name_ck CHECK ((btrim(name) <> ''::text)),
  CONSTRAINT company_pk PRIMARY KEY (id),
  CONSTRAINT company_total_contract_value_ck CHECK ((total_contract_value >= (0)::numeric))
);
TABLE contact (
  id text COLLATE "C" NOT NULL,
  email text COLLATE "C",
  company_id text COLLATE "C",
  first_name text,
  last_name text,
  full_name_override text,
  full_name text GENERATED contact_full_name(full_name_override, first_name, last_name),
  title text,
  role text,
  department text,
  phone text,
  contact_type text NOT NULL DEFAULT 'end_user'::text,
  source text NOT NULL DEFAULT 'manual'::text,
  pipeline_stage text,
  funnel_stage text,
  product text,
  engagement_score double precision,
  last_engagement_at timestamp with time zone,
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
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  search_text text GENERATED ((COALESCE(search_normalize(contact_full_name(full_name_override, first_name, last_name)), ''::text) || '
'::text) || COALESCE(email, ''::text)),
  CONSTRAINT contact_company_fk FOREIGN KEY (company_id) REFERENCES company(id),
  CONSTRAINT contact_email_ck CHECK (((email ~ '^[!-?A-~]+@[a-z0-9.-]+$'::text) AND (email = lower(email)))),
  CONSTRAINT contact_email_or_company_ck CHECK (((email IS NOT NULL) OR (company_id IS NOT NULL))),
  CONSTRAINT contact_engagement_score_ck CHECK (((engagement_score >= (0)::double precision) AND (engagement_score < 'Infinity'::double precision))),
  CONSTRAINT contact_enrichment_data_ck CHECK ((jsonb_typeof(enrichment_data) = 'object'::text)),
  CONSTRAINT contact_id_ck CHECK ((id ~ '^ct_[a-z0-9]{1,32}$'::text)),
  CONSTRAINT contact_pk PRIMARY KEY (id),
  CONSTRAINT contact_portal_access_ck CHECK ((portal_access = ANY (ARRAY[0, 1]))),
  CONSTRAINT contact_portal_email_ck CHECK (((portal_access = 0) OR (email IS NOT NULL))),
  CONSTRAINT contact_portal_role_ck CHECK ((portal_role = ANY (ARRAY['client_admin'::text, 'client_viewer'::text]))),
  CONSTRAINT contact_portal_role_given_ck CHECK (((portal_access = 0) OR (portal_role IS NOT NULL))),
  CONSTRAINT contact_type_ck CHECK ((contact_type ~ '^[a-z0-9][a-z0-9_-]*$'::text))
);
TABLE magic_link (
  id text COLLATE "C" NOT NULL,
  address_hash bytea NOT NULL,
  client_address inet NOT NULL,
  contact_id text COLLATE "C",
  token_hash bytea NOT NULL,
  code_hash bytea NOT NULL,
  attempts smallint NOT NULL DEFAULT 0,
  redirect text NOT NULL,
  product text,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  expires_at timestamp with time zone NOT NULL,
  used_at timestamp with time zone,
  voided_at timestamp with time zone,
  CONSTRAINT magic_link_attempts_ck CHECK (((attempts >= 0) AND (attempts <= 5))),
  CONSTRAINT magic_link_contact_fk FOREIGN KEY (contact_id) REFERENCES contact(id) ON DELETE CASCADE,
  CONSTRAINT magic_link_pk PRIMARY KEY (id)
);
TABLE migration (
  name text NOT NULL,
  run_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer NOT NULL,
  checksum text NOT NULL,
  CONSTRAINT migration_pk PRIMARY KEY (name)
);
TABLE portal_identity (
  issuer text NOT NULL,
  subject text NOT NULL,
  contact_id text COLLATE "C" NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT portal_identity_contact_fk FOREIGN KEY (contact_id) REFERENCES contact(id) ON DELETE CASCADE,
  CONSTRAINT portal_identity_pk PRIMARY KEY (issuer, subject)
);
TABLE portal_session (
  id text COLLATE "C" NOT NULL,
  contact_id text COLLATE "C" NOT NULL,
  method text NOT NULL,
  client_address inet,
  user_agent text,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  last_used_at timestamp with time zone NOT NULL DEFAULT now(),
  idle_until timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  ended_at timestamp with time zone,
  end_reason text,
  CONSTRAINT portal_session_contact_fk FOREIGN KEY (contact_id) REFERENCES contact(id) ON DELETE CASCADE,
  CONSTRAINT portal_session_end_ck CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
  CONSTRAINT portal_session_method_ck CHECK ((method = ANY (ARRAY['magic_link'::text, 'google'::text]))),
  CONSTRAINT portal_session_pk PRIMARY KEY (id)
);
TABLE refresh_token (
  token_hash bytea NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  used_at timestamp with time zone,
  CONSTRAINT refresh_token_pk PRIMARY KEY (token_hash),
  CONSTRAINT refresh_token_session_fk FOREIGN KEY (session_id) REFERENCES portal_session(id) ON DELETE CASCADE
);
TABLE signing_key (
  kid text COLLATE "C" NOT NULL,
  status text NOT NULL,
  public_jwk jsonb NOT NULL,
  sealed_private_jwk bytea NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT signing_key_pk PRIMARY KEY (kid),
  CONSTRAINT signing_key_status_ck CHECK ((status = ANY (ARRAY['next'::text, 'active'::text, 'retired'::text])))
);

CREATE INDEX auth_audit_log_actor_ix ON public.auth_audit_log USING btree (actor_id, at DESC, id DESC);
CREATE INDEX auth_audit_log_at_ix ON public.auth_audit_log USING btree (at DESC, id DESC);
CREATE INDEX auth_audit_log_event_ix ON public.auth_audit_log USING btree (event, at DESC, id DESC);
CREATE INDEX auth_audit_log_subject_ix ON public.auth_audit_log USING btree (subject_id, at DESC, id DESC);
CREATE INDEX company_name_ix ON public.company USING btree (name COLLATE "und-x-icu", id);
CREATE INDEX company_revenue_ix ON public.company USING btree (COALESCE(monthly_revenue, ('-1'::integer)::numeric) DESC, id DESC);
CREATE INDEX company_search_ix ON public.company USING gin (search_text gin_trgm_ops);
CREATE INDEX contact_company_ix ON public.contact USING btree (company_id, created_at DESC, id DESC);
CREATE INDEX contact_created_ix ON public.contact USING btree (created_at DESC, id DESC);
CREATE INDEX contact_email_sort_ix ON public.contact USING btree (COALESCE(email, ''::text), id);
CREATE UNIQUE INDEX contact_email_uq ON public.contact USING btree (email);
CREATE INDEX contact_engagement_ix ON public.contact USING btree (COALESCE(engagement_score, ('-1'::integer)::double precision), id);
CREATE INDEX contact_full_name_ix ON public.contact USING btree (COALESCE(full_name, ''::text) COLLATE "und-x-icu", id);
CREATE INDEX contact_funnel_stage_ix ON public.contact USING btree (funnel_stage, created_at DESC, id DESC) WHERE (funnel_stage IS NOT NULL);
CREATE INDEX contact_pipeline_stage_ix ON public.contact USING btree (pipeline_stage, created_at DESC, id DESC) WHERE (pipeline_stage IS NOT NULL);
CREATE INDEX contact_portal_ix ON public.contact USING btree (portal_role, created_at DESC, id DESC) WHERE (portal_access = 1);
CREATE INDEX contact_product_ix ON public.contact USING btree (product, created_at DESC, id DESC) WHERE (product IS NOT NULL);
CREATE INDEX contact_search_ix ON public.contact USING gin (search_text gin_trgm_ops);
CREATE INDEX contact_source_ix ON public.contact USING btree (source, created_at DESC, id DESC);
CREATE INDEX contact_tags_ix ON public.contact USING gin (string_to_array(tags, ','::text));
CREATE INDEX contact_type_ix ON public.contact USING btree (contact_type, created_at DESC, id DESC);
CREATE INDEX contact_type_source_ix ON public.contact USING btree (contact_type, source, created_at DESC, id DESC);
CREATE INDEX contact_updated_ix ON public.contact USING btree (updated_at, id);
CREATE INDEX magic_link_address_ix ON public.magic_link USING btree (address_hash, created_at DESC);
CREATE INDEX magic_link_client_ix ON public.magic_link USING btree (client_address, created_at DESC);
CREATE INDEX magic_link_contact_ix ON public.magic_link USING btree (contact_id) WHERE ((used_at IS NULL) AND (voided_at IS NULL));
CREATE UNIQUE INDEX magic_link_token_uq ON public.magic_link USING btree (token_hash);
CREATE INDEX portal_identity_contact_ix ON public.portal_identity USING btree (contact_id);
CREATE INDEX portal_session_contact_ix ON public.portal_session USING btree (contact_id, created_at DESC);
CREATE INDEX refresh_token_session_ix ON public.refresh_token USING btree (session_id);
CREATE UNIQUE INDEX signing_key_current_uq ON public.signing_key USING btree (status) WHERE (status <> 'retired'::text);

CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF secret_hash, previous_secret_hash, previous_expires_at, scopes, allowed_cidrs, expires_at, revoked_at ON public.api_key FOR EACH ROW EXECUTE FUNCTION api_key_notify();
CREATE TRIGGER auth_audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.auth_audit_log FOR EACH STATEMENT EXECUTE FUNCTION auth_audit_log_refuse();
CREATE TRIGGER contact_default_portal_role BEFORE INSERT OR UPDATE OF portal_access, portal_role ON public.contact FOR EACH ROW WHEN (((new.portal_access = 1) AND (new.portal_role IS NULL))) EXECUTE FUNCTION contact_default_portal_role();
CREATE TRIGGER contact_end_sign_ins AFTER UPDATE OF email, portal_access ON public.contact FOR EACH ROW WHEN (((old.email IS DISTINCT FROM new.email) OR ((old.portal_access = 1) AND (new.portal_access = 0)))) EXECUTE FUNCTION contact_end_sign_ins();

SEQUENCE auth_audit_log_id_seq;
