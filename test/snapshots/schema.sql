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
CREATE OR REPLACE FUNCTION public.auth_audit_log_sweep(older_than interval, at_most integer)
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 WITH gone AS (
          DELETE FROM auth_audit_log
           WHERE (auth_audit_log.ctid = ANY (ARRAY( SELECT auth_audit_log_1.ctid
                    FROM auth_audit_log auth_audit_log_1
                   WHERE (auth_audit_log_1.at < (now() - auth_audit_log_sweep.older_than))
                   ORDER BY auth_audit_log_1.at, auth_audit_log_1.id
                  LIMIT auth_audit_log_sweep.at_most
                  FOR UPDATE OF auth_audit_log_1 SKIP LOCKED)))
           RETURNING 1 AS "?column?"
         )
  SELECT (count(*))::integer AS removed
    FROM gone;
END;
CREATE OR REPLACE FUNCTION public.clean_pending_lists()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
     DECLARE
       cleaned bigint := 0;
       index regclass;
     BEGIN
       -- Writes nothing that such a server would refuse by itself: nobody shall stay with a primary of the past.
       IF current_setting('transaction_read_only')::boolean THEN
         RAISE read_only_sql_transaction USING MESSAGE = 'the server is read-only';
       END IF;
       IF NOT pg_try_advisory_xact_lock(hashtext('clean_pending_lists')) THEN RETURN NULL; END IF;
       FOR index IN
         SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
         WHERE amname = 'gin' AND indisvalid
           AND indrelid IN ('public.contact'::regclass, 'public.contact_search'::regclass, 'public.company'::regclass)
         ORDER BY random()
       LOOP
         cleaned := cleaned + gin_clean_pending_list(index);
       END LOOP;
       RETURN cleaned;
     EXCEPTION WHEN query_canceled OR lock_not_available THEN
       RETURN cleaned;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_changes_since(as_of pg_snapshot)
 RETURNS SETOF contact_change
 LANGUAGE plpgsql
 STABLE ROWS 100
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
     BEGIN
       RETURN QUERY
         SELECT * FROM contact_change WHERE xid >= pg_snapshot_xmax(as_of)
         UNION ALL
         SELECT * FROM contact_change WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(as_of)));
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_count_faults()
 RETURNS TABLE(slice text[], period text, starts_at timestamp with time zone, counted bigint, actual bigint)
 LANGUAGE sql
 STABLE
AS $function$
       WITH hourly AS MATERIALIZED (SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, count(*) AS n
  FROM contact GROUP BY 1, 2, 3), changed AS MATERIALIZED (
         SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, sign AS n
         FROM contact_changes_since((contact_last_fold()).as_of)
       ), kept AS (
         SELECT slice, period, starts_at, sum(n)::bigint AS n FROM (
           SELECT slice, period, starts_at, n FROM contact_count UNION ALL 
  SELECT ARRAY[contact_type, source] AS slice, period, starts_at, sum(n)::bigint AS n
  FROM (
    SELECT contact_type, source, date_trunc('day', hour, 'UTC') AS day, sum(n) AS n
    FROM (TABLE changed) AS counted GROUP BY 1, 2, 3
  ) AS daily CROSS JOIN LATERAL (VALUES
    ('ever', timestamptz '-infinity'), ('month', date_trunc('month', day, 'UTC')), ('day', day)
  ) AS held_by (period, starts_at)
  GROUP BY period, starts_at, CUBE (contact_type, source) HAVING sum(n) <> 0
  UNION ALL
  SELECT ARRAY[NULL, NULL], 'hour', hour, sum(n)::bigint FROM (TABLE changed) AS counted GROUP BY hour HAVING sum(n) <> 0
         ) AS cell GROUP BY 1, 2, 3
       )
       SELECT slice, period, starts_at, COALESCE(kept.n, 0), COALESCE(actual.n, 0)
       FROM kept FULL JOIN (
  SELECT ARRAY[contact_type, source] AS slice, period, starts_at, sum(n)::bigint AS n
  FROM (
    SELECT contact_type, source, date_trunc('day', hour, 'UTC') AS day, sum(n) AS n
    FROM (TABLE hourly) AS counted GROUP BY 1, 2, 3
  ) AS daily CROSS JOIN LATERAL (VALUES
    ('ever', timestamptz '-infinity'), ('month', date_trunc('month', day, 'UTC')), ('day', day)
  ) AS held_by (period, starts_at)
  GROUP BY period, starts_at, CUBE (contact_type, source) HAVING sum(n) <> 0
  UNION ALL
  SELECT ARRAY[NULL, NULL], 'hour', hour, sum(n)::bigint FROM (TABLE hourly) AS counted GROUP BY hour HAVING sum(n) <> 0) AS actual USING (slice, period, starts_at)
       WHERE COALESCE(kept.n, 0) <> COALESCE(actual.n, 0)
     $function$;
CREATE OR REPLACE FUNCTION public.contact_default_portal_role()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       NEW.portal_role := 'client_viewer';
       RETURN NEW;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_document(full_name text, email text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ((COALESCE(search_normalize(full_name), ''::text) || '
'::text) || COALESCE(email, ''::text));
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
CREATE OR REPLACE FUNCTION public.contact_fold_changes(keep_changes bigint DEFAULT 50000)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
     DECLARE
       last contact_fold;
       folded bigint;
     BEGIN
       -- Before the tables of the log, as a TRUNCATE does it.
       LOCK TABLE contact IN ACCESS SHARE MODE;
       PERFORM contact_require_nothing_written();
       IF NOT pg_try_advisory_xact_lock(hashtext('contact_fold')) THEN RETURN NULL; END IF;
       last := contact_last_fold();
       IF last.no IS NULL OR last.cluster <> (pg_control_system()).system_identifier
         OR pg_snapshot_xmax(last.as_of) > pg_snapshot_xmax(pg_current_snapshot())
       THEN
         PERFORM contact_recount();
         RETURN 0;
       END IF;
       WITH changed AS MATERIALIZED (
         SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, sum(sign) AS n, count(*) AS changes
         FROM contact_changes_since(last.as_of) GROUP BY 1, 2, 3
       ), added AS (
         INSERT INTO contact_count AS c (slice, period, starts_at, n) 
  SELECT ARRAY[contact_type, source] AS slice, period, starts_at, sum(n)::bigint AS n
  FROM (
    SELECT contact_type, source, date_trunc('day', hour, 'UTC') AS day, sum(n) AS n
    FROM (TABLE changed) AS counted GROUP BY 1, 2, 3
  ) AS daily CROSS JOIN LATERAL (VALUES
    ('ever', timestamptz '-infinity'), ('month', date_trunc('month', day, 'UTC')), ('day', day)
  ) AS held_by (period, starts_at)
  GROUP BY period, starts_at, CUBE (contact_type, source) HAVING sum(n) <> 0
  UNION ALL
  SELECT ARRAY[NULL, NULL], 'hour', hour, sum(n)::bigint FROM (TABLE changed) AS counted GROUP BY hour HAVING sum(n) <> 0
         ON CONFLICT (slice, period, starts_at) DO UPDATE SET n = c.n + EXCLUDED.n
       )
       INSERT INTO contact_fold (as_of, changes)
       SELECT pg_current_snapshot(), sum(changes) FROM changed HAVING sum(changes) > 0
       RETURNING changes INTO folded;

       IF folded > 0 THEN PERFORM contact_trim_log(keep_changes); END IF;
       RETURN COALESCE(folded, 0);
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_full_name(override text, first_name text, last_name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN COALESCE(override, NULLIF(btrim(((COALESCE(first_name, ''::text) || ' '::text) || COALESCE(last_name, ''::text))), ''::text));
CREATE OR REPLACE FUNCTION public.contact_last_fold()
 RETURNS contact_fold
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
     DECLARE last contact_fold;
     BEGIN
       SELECT * INTO last FROM contact_fold ORDER BY no DESC LIMIT 1;
       RETURN last;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_log_delete()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       DELETE FROM contact_search WHERE created_at = OLD.created_at AND contact_id = OLD.id;
       INSERT INTO contact_change (sign, id, created_at, email, company_id, contact_type, source, product, tags, pipeline_stage, funnel_stage, portal_access, portal_role, document)
       VALUES (-1, OLD.id, OLD.created_at, OLD.email, OLD.company_id, OLD.contact_type, OLD.source, OLD.product, OLD.tags, OLD.pipeline_stage, OLD.funnel_stage, OLD.portal_access, OLD.portal_role, contact_document(OLD.full_name, OLD.email));
       RETURN NULL;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_log_insert()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       WITH documented AS MATERIALIZED (
         SELECT *, contact_document(full_name, email) AS document FROM new_contact
       ), searchable AS (
         INSERT INTO contact_search (contact_id, created_at, document)
         SELECT id, created_at, document FROM documented
       )
       INSERT INTO contact_change (sign, id, created_at, email, company_id, contact_type, source, product, tags, pipeline_stage, funnel_stage, portal_access, portal_role, document)
       SELECT 1, id, created_at, email, company_id, contact_type, source, product, tags, pipeline_stage, funnel_stage, portal_access, portal_role, document FROM documented;
       RETURN NULL;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_log_truncate()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     BEGIN
       TRUNCATE contact_search, contact_change, contact_count, contact_fold;
       RETURN NULL;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_log_update()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
     DECLARE
       before text := contact_document(OLD.full_name, OLD.email);
       after text := contact_document(NEW.full_name, NEW.email);
     BEGIN
       IF (OLD.id, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.created_at) THEN
         DELETE FROM contact_search WHERE created_at = OLD.created_at AND contact_id = OLD.id;
       END IF;
       IF (OLD.id, OLD.created_at, before) IS DISTINCT FROM (NEW.id, NEW.created_at, after) THEN
         INSERT INTO contact_search (contact_id, created_at, document) VALUES (NEW.id, NEW.created_at, after)
         ON CONFLICT (created_at, contact_id) DO UPDATE SET document = EXCLUDED.document;
       END IF;
       INSERT INTO contact_change (sign, id, created_at, email, company_id, contact_type, source, product, tags, pipeline_stage, funnel_stage, portal_access, portal_role, document)
       VALUES (-1, OLD.id, OLD.created_at, OLD.email, OLD.company_id, OLD.contact_type, OLD.source, OLD.product, OLD.tags, OLD.pipeline_stage, OLD.funnel_stage, OLD.portal_access, OLD.portal_role, before), (1, NEW.id, NEW.created_at, NEW.email, NEW.company_id, NEW.contact_type, NEW.source, NEW.product, NEW.tags, NEW.pipeline_stage, NEW.funnel_stage, NEW.portal_access, NEW.portal_role, after);
       RETURN NULL;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_page_start(slice text[], skip bigint, OUT before timestamp with time zone, OUT rest bigint)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
     DECLARE
       last contact_fold := contact_last_fold();
       level text;
       starts timestamptz := '-infinity';
       newer bigint;
     BEGIN
       before := 'infinity';
       rest := skip;
       IF last.no IS NULL THEN RETURN; END IF;
       FOREACH level IN ARRAY ARRAY['month', 'day', 'hour'] LOOP
         EXIT WHEN level = 'hour' AND slice <> '{NULL,NULL}';
         SELECT running.starts_at, running.newer INTO starts, newer FROM (
           SELECT starts_at, sum(n) AS n, sum(sum(n)) OVER (ORDER BY starts_at DESC) - sum(n) AS newer FROM (
             SELECT starts_at, n FROM contact_count c
             WHERE c.slice = contact_page_start.slice AND period = level
               AND c.starts_at >= starts AND c.starts_at < before
             UNION ALL
             SELECT date_trunc(level, created_at, 'UTC'), sign FROM contact_changes_since(last.as_of) c
             WHERE (slice[1] IS NULL OR c.contact_type = slice[1]) AND (slice[2] IS NULL OR c.source = slice[2])
               AND c.created_at >= starts AND c.created_at < before
           ) AS counted GROUP BY starts_at
         ) AS running WHERE running.newer <= rest AND running.n > 0 ORDER BY running.starts_at LIMIT 1;
         EXIT WHEN NOT FOUND;
         rest := rest - newer;
         before := (starts AT TIME ZONE 'UTC' + ('1 ' || level)::interval) AT TIME ZONE 'UTC';
       END LOOP;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_recount()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
     BEGIN
       LOCK TABLE contact IN ACCESS SHARE MODE;
       PERFORM contact_require_nothing_written();
       PERFORM pg_advisory_xact_lock(hashtext('contact_fold'));
       DELETE FROM contact_change;
       DELETE FROM contact_fold;
       DELETE FROM contact_count;
       WITH hourly AS MATERIALIZED (SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, count(*) AS n
  FROM contact GROUP BY 1, 2, 3),
         counted AS (INSERT INTO contact_count (slice, period, starts_at, n) 
  SELECT ARRAY[contact_type, source] AS slice, period, starts_at, sum(n)::bigint AS n
  FROM (
    SELECT contact_type, source, date_trunc('day', hour, 'UTC') AS day, sum(n) AS n
    FROM (TABLE hourly) AS counted GROUP BY 1, 2, 3
  ) AS daily CROSS JOIN LATERAL (VALUES
    ('ever', timestamptz '-infinity'), ('month', date_trunc('month', day, 'UTC')), ('day', day)
  ) AS held_by (period, starts_at)
  GROUP BY period, starts_at, CUBE (contact_type, source) HAVING sum(n) <> 0
  UNION ALL
  SELECT ARRAY[NULL, NULL], 'hour', hour, sum(n)::bigint FROM (TABLE hourly) AS counted GROUP BY hour HAVING sum(n) <> 0)
       INSERT INTO contact_fold (as_of, changes) VALUES (pg_current_snapshot(), 0);
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_require_nothing_written()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
     BEGIN
       IF EXISTS (SELECT FROM contact_change WHERE xid = pg_current_xact_id_if_assigned()) THEN
         RAISE EXCEPTION 'Contacts are counted in a transaction of its own, not in one that has written any.'
           USING ERRCODE = 'active_sql_transaction';
       END IF;
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_total(slice text[])
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
     DECLARE last contact_fold := contact_last_fold();
     BEGIN
       IF last.no IS NULL THEN RETURN NULL; END IF;
       RETURN COALESCE((SELECT n FROM contact_count c WHERE c.slice = contact_total.slice AND period = 'ever'), 0)
         + COALESCE((SELECT sum(sign) FROM contact_changes_since(last.as_of) c
             WHERE (slice[1] IS NULL OR c.contact_type = slice[1]) AND (slice[2] IS NULL OR c.source = slice[2])), 0);
     END $function$;
CREATE OR REPLACE FUNCTION public.contact_trim_log(keep_changes bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
     DECLARE
       last contact_fold := contact_last_fold();
       kept contact_fold;
     BEGIN
       SELECT f.* INTO kept FROM (
         SELECT no, sum(changes) OVER (ORDER BY no DESC) - changes AS later FROM contact_fold WHERE no > last.no - 1000
       ) AS ranked JOIN contact_fold f USING (no) WHERE later <= keep_changes ORDER BY no LIMIT 1;
       -- Not by COALESCE, to which a row of nulls is a value.
       IF kept.no IS NULL THEN kept := last; END IF;
       DELETE FROM contact_fold WHERE no < kept.no;
       IF FOUND THEN
         DELETE FROM contact_change WHERE xid < pg_snapshot_xmax(kept.as_of)
           AND xid <> ALL (ARRAY(SELECT pg_snapshot_xip(kept.as_of)));
       END IF;
     END $function$;
CREATE OR REPLACE FUNCTION public.search_meetings(document text)
 RETURNS tsvector
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
     DECLARE
       word text;
       before text;
       meetings text[] := '{}';
     BEGIN
       FOREACH word IN ARRAY regexp_split_to_array(document, '[ -/:-@\[-`{-~]+' COLLATE "C") LOOP
         IF before IS NOT NULL THEN
           meetings := meetings || (right(before, 3) || ' ' || left(word, 6));
         END IF;
         before := word;
       END LOOP;
       RETURN array_to_tsvector(meetings);
     END $function$;
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
CREATE OR REPLACE FUNCTION public.search_short_terms(document text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN ARRAY(SELECT starting.term FROM generate_series(1, char_length(search_short_terms.document)) at(at), LATERAL (VALUES (substr(search_short_terms.document, at.at, 1)), (substr(search_short_terms.document, at.at, 2))) starting(term) WHERE (octet_length(starting.term) > char_length(starting.term)));
CREATE OR REPLACE FUNCTION public.search_term_meetings(term text)
 RETURNS tsquery
 LANGUAGE plpgsql
 IMMUTABLE STRICT
AS $function$
     DECLARE
       words text[] := regexp_split_to_array(term, '[ -/:-@\[-`{-~]+' COLLATE "C");
       meetings text;
     BEGIN
       FOR at IN 2 .. cardinality(words) LOOP
         CONTINUE WHEN at = 2 AND char_length(words[1]) < 3;
         meetings := concat_ws(' & ', meetings, quote_literal(right(words[at - 1], 3) || ' ' || left(words[at], 6)));
         IF at = cardinality(words) AND char_length(words[at]) < 6 THEN
           meetings := meetings || ':*';
         END IF;
       END LOOP;
       RETURN meetings::tsquery;
     END $function$;

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
  rate_limit integer,
  CONSTRAINT api_key_id_ck CHECK ((id ~ '^[a-z0-9]{12}$'::text)),
  CONSTRAINT api_key_pk PRIMARY KEY (id),
  CONSTRAINT api_key_previous_ck CHECK (((previous_secret_hash IS NULL) = (previous_expires_at IS NULL))),
  CONSTRAINT api_key_rate_limit_ck CHECK ((rate_limit >= 0)),
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
  CONSTRAINT contact_company_fk FOREIGN KEY (company_id) REFERENCES company(id),
  CONSTRAINT contact_created_at_ck CHECK (isfinite(created_at)),
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
TABLE contact_change (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  sign smallint NOT NULL,
  id text COLLATE "C" NOT NULL,
  created_at timestamp with time zone NOT NULL,
  email text COLLATE "C",
  company_id text COLLATE "C",
  contact_type text NOT NULL,
  source text NOT NULL,
  product text,
  tags text,
  pipeline_stage text,
  funnel_stage text,
  portal_access smallint NOT NULL,
  portal_role text,
  document text NOT NULL,
  CONSTRAINT contact_change_sign_ck CHECK ((sign = ANY (ARRAY['-1'::integer, 1])))
);
TABLE contact_count (
  slice text[] NOT NULL,
  period text NOT NULL,
  starts_at timestamp with time zone NOT NULL,
  n bigint NOT NULL,
  CONSTRAINT contact_count_period_ck CHECK ((period = ANY (ARRAY['ever'::text, 'month'::text, 'day'::text, 'hour'::text]))),
  CONSTRAINT contact_count_pk PRIMARY KEY (slice, period, starts_at),
  CONSTRAINT contact_count_slice_ck CHECK ((cardinality(slice) = 2))
);
TABLE contact_fold (
  no bigint NOT NULL IDENTITY ALWAYS,
  as_of pg_snapshot NOT NULL,
  cluster bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
  changes bigint NOT NULL,
  folded_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT contact_fold_pk PRIMARY KEY (no)
);
TABLE contact_search (
  contact_id text COLLATE "C" NOT NULL,
  created_at timestamp with time zone NOT NULL,
  document text NOT NULL,
  CONSTRAINT contact_search_pk PRIMARY KEY (created_at, contact_id)
);
TABLE idempotent_write (
  id bytea NOT NULL,
  fingerprint bytea NOT NULL,
  answer bytea,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT idempotent_write_pk PRIMARY KEY (id)
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
TABLE rate_limit (
  bucket text COLLATE "C" NOT NULL,
  full_at timestamp with time zone NOT NULL,
  CONSTRAINT rate_limit_pk PRIMARY KEY (bucket)
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
  retired_at timestamp with time zone,
  CONSTRAINT signing_key_pk PRIMARY KEY (kid),
  CONSTRAINT signing_key_status_ck CHECK ((status = ANY (ARRAY['next'::text, 'active'::text, 'retired'::text])))
);

CREATE INDEX auth_audit_log_actor_ix ON public.auth_audit_log USING btree (actor_id, at DESC, id DESC);
CREATE INDEX auth_audit_log_at_ix ON public.auth_audit_log USING btree (at DESC, id DESC);
CREATE INDEX auth_audit_log_event_ix ON public.auth_audit_log USING btree (event, at DESC, id DESC);
CREATE INDEX auth_audit_log_subject_ix ON public.auth_audit_log USING btree (subject_id, at DESC, id DESC);
CREATE INDEX company_name_ix ON public.company USING btree (name COLLATE "und-x-icu", id);
CREATE INDEX company_revenue_ix ON public.company USING btree (COALESCE(monthly_revenue, ('-1'::integer)::numeric) DESC, id DESC);
CREATE INDEX company_search_ix ON public.company USING gin (search_text gin_trgm_ops) WITH (gin_pending_list_limit='4096');
CREATE INDEX contact_change_xid_ix ON public.contact_change USING btree (xid);
CREATE INDEX contact_company_ix ON public.contact USING btree (company_id, created_at DESC, id DESC);
CREATE INDEX contact_created_ix ON public.contact USING btree (created_at DESC, id DESC);
CREATE INDEX contact_email_sort_ix ON public.contact USING btree (COALESCE(email, ''::text), id);
CREATE UNIQUE INDEX contact_email_uq ON public.contact USING btree (email);
CREATE INDEX contact_engagement_ix ON public.contact USING btree (COALESCE(engagement_score, ('-1'::integer)::double precision), id);
CREATE INDEX contact_full_name_ix ON public.contact USING btree (COALESCE(full_name, ''::text) COLLATE "und-x-icu", id);
CREATE INDEX contact_funnel_stage_ix ON public.contact USING btree (funnel_stage, created_at DESC, id DESC) WHERE (funnel_stage IS NOT NULL);
CREATE INDEX contact_pipeline_stage_ix ON public.contact USING btree (pipeline_stage, created_at DESC, id DESC) WHERE (pipeline_stage IS NOT NULL);
CREATE INDEX contact_portal_ix ON public.contact USING btree (portal_role, created_at DESC, id DESC) WHERE (portal_access = 1);
CREATE INDEX contact_portal_role_ix ON public.contact USING btree (portal_role, created_at DESC, id DESC) WHERE (portal_role = ANY (ARRAY['client_admin'::text, 'client_viewer'::text]));
CREATE INDEX contact_product_ix ON public.contact USING btree (product, created_at DESC, id DESC) WHERE (product IS NOT NULL);
CREATE INDEX contact_search_document_ix ON public.contact_search USING gin (document gin_trgm_ops) WITH (gin_pending_list_limit='4096');
CREATE INDEX contact_search_meeting_ix ON public.contact_search USING gin (search_meetings(document)) WITH (gin_pending_list_limit='4096');
CREATE INDEX contact_search_short_ix ON public.contact_search USING gin (search_short_terms(document)) WITH (gin_pending_list_limit='4096') WHERE (octet_length(document) > char_length(document));
CREATE INDEX contact_source_ix ON public.contact USING btree (source, created_at DESC, id DESC);
CREATE INDEX contact_tags_ix ON public.contact USING gin (string_to_array(tags, ','::text)) WITH (gin_pending_list_limit='4096');
CREATE INDEX contact_type_ix ON public.contact USING btree (contact_type, created_at DESC, id DESC);
CREATE INDEX contact_type_source_ix ON public.contact USING btree (contact_type, source, created_at DESC, id DESC);
CREATE INDEX contact_updated_ix ON public.contact USING btree (updated_at, id);
CREATE INDEX idempotent_write_created_ix ON public.idempotent_write USING btree (created_at);
CREATE INDEX magic_link_address_ix ON public.magic_link USING btree (address_hash, created_at DESC);
CREATE INDEX magic_link_client_ix ON public.magic_link USING btree (client_address, created_at DESC);
CREATE INDEX magic_link_contact_ix ON public.magic_link USING btree (contact_id) WHERE ((used_at IS NULL) AND (voided_at IS NULL));
CREATE INDEX magic_link_created_ix ON public.magic_link USING btree (created_at);
CREATE UNIQUE INDEX magic_link_token_uq ON public.magic_link USING btree (token_hash);
CREATE INDEX portal_identity_contact_ix ON public.portal_identity USING btree (contact_id);
CREATE INDEX portal_session_contact_ix ON public.portal_session USING btree (contact_id, created_at DESC);
CREATE INDEX portal_session_expires_ix ON public.portal_session USING btree (expires_at);
CREATE INDEX refresh_token_session_ix ON public.refresh_token USING btree (session_id);
CREATE UNIQUE INDEX signing_key_current_uq ON public.signing_key USING btree (status) WHERE (status <> 'retired'::text);

CREATE TRIGGER api_key_changed AFTER DELETE OR UPDATE OF secret_hash, previous_secret_hash, previous_expires_at, scopes, allowed_cidrs, expires_at, revoked_at, rate_limit ON public.api_key FOR EACH ROW EXECUTE FUNCTION api_key_notify();
CREATE TRIGGER auth_audit_log_append_only BEFORE UPDATE OR TRUNCATE ON public.auth_audit_log FOR EACH STATEMENT EXECUTE FUNCTION auth_audit_log_refuse();
CREATE TRIGGER auth_audit_log_keep BEFORE DELETE ON public.auth_audit_log FOR EACH ROW WHEN ((old.at > (now() - '90 days'::interval))) EXECUTE FUNCTION auth_audit_log_refuse();
CREATE TRIGGER contact_default_portal_role BEFORE INSERT OR UPDATE OF portal_access, portal_role ON public.contact FOR EACH ROW WHEN (((new.portal_access = 1) AND (new.portal_role IS NULL))) EXECUTE FUNCTION contact_default_portal_role();
CREATE TRIGGER contact_end_sign_ins AFTER UPDATE OF email, portal_access ON public.contact FOR EACH ROW WHEN (((old.email IS DISTINCT FROM new.email) OR ((old.portal_access = 1) AND (new.portal_access = 0)))) EXECUTE FUNCTION contact_end_sign_ins();
CREATE TRIGGER contact_log_delete AFTER DELETE ON public.contact FOR EACH ROW EXECUTE FUNCTION contact_log_delete();
CREATE TRIGGER contact_log_insert AFTER INSERT ON public.contact REFERENCING NEW TABLE AS new_contact FOR EACH STATEMENT EXECUTE FUNCTION contact_log_insert();
CREATE TRIGGER contact_log_truncate AFTER TRUNCATE ON public.contact FOR EACH STATEMENT EXECUTE FUNCTION contact_log_truncate();
CREATE TRIGGER contact_log_update AFTER UPDATE ON public.contact FOR EACH ROW WHEN ((((((((((((((old.id IS DISTINCT FROM new.id) OR (old.created_at IS DISTINCT FROM new.created_at)) OR (old.email IS DISTINCT FROM new.email)) OR (old.company_id IS DISTINCT FROM new.company_id)) OR (old.contact_type IS DISTINCT FROM new.contact_type)) OR (old.source IS DISTINCT FROM new.source)) OR (old.product IS DISTINCT FROM new.product)) OR (old.tags IS DISTINCT FROM new.tags)) OR (old.pipeline_stage IS DISTINCT FROM new.pipeline_stage)) OR (old.funnel_stage IS DISTINCT FROM new.funnel_stage)) OR (old.portal_access IS DISTINCT FROM new.portal_access)) OR (old.portal_role IS DISTINCT FROM new.portal_role)) OR (old.full_name IS DISTINCT FROM new.full_name))) EXECUTE FUNCTION contact_log_update();

SEQUENCE auth_audit_log_id_seq;
SEQUENCE contact_fold_no_seq;
