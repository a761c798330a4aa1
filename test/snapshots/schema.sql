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
CREATE OR REPLACE FUNCTION public.contact_default_portal_role()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       NEW.portal_role := 'client_viewer';
       RETURN NEW;
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
TABLE migration (
  name text NOT NULL,
  run_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer NOT NULL,
  checksum text NOT NULL,
  CONSTRAINT migration_pk PRIMARY KEY (name)
);

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

CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF secret_hash, previous_secret_hash, previous_expires_at, scopes, allowed_cidrs, expires_at, revoked_at ON public.api_key FOR EACH ROW EXECUTE FUNCTION api_key_notify();
CREATE TRIGGER contact_default_portal_role BEFORE INSERT OR UPDATE OF portal_access, portal_role ON public.contact FOR EACH ROW WHEN (((new.portal_access = 1) AND (new.portal_role IS NULL))) EXECUTE FUNCTION contact_default_portal_role();
