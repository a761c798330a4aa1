// Exact totals without counting: a fold sums the log of changes up into counts, true of one snapshot.
//
// The counts (contact_count) are those of contact_fold.as_of; a reader adds the changes that this snapshot does not see,
// and so has the total of its own. Several folds are kept, and the log reaches back to the oldest of them, for those
// who remember other totals.
import type { Migration } from '../src/database/migration.ts';

/**
 * Settings of the functions that read log and counts: by index, whatever the planner last saw of a table that is empty
 * one second and full the next; and planned once, not at every call.
 */
const READ_BY_INDEX = 'SET enable_seqscan = off SET plan_cache_mode = force_generic_plan';

/**
 * Counts of `rows` (contact_type, source, hour, n) per slice and period. A slice is [contact_type, source], null for
 * any. Hours are kept for all contacts together only: within one type or source a day is short enough to step through.
 * They are summed up to days first, for there are far fewer of those to make every slice of.
 */
const cells = (rows: string): string => `
  SELECT ARRAY[contact_type, source] AS slice, period, starts_at, sum(n)::bigint AS n
  FROM (
    SELECT contact_type, source, date_trunc('day', hour, 'UTC') AS day, sum(n) AS n
    FROM (${rows}) AS counted GROUP BY 1, 2, 3
  ) AS daily CROSS JOIN LATERAL (VALUES
    ('ever', timestamptz '-infinity'), ('month', date_trunc('month', day, 'UTC')), ('day', day)
  ) AS held_by (period, starts_at)
  GROUP BY period, starts_at, CUBE (contact_type, source) HAVING sum(n) <> 0
  UNION ALL
  SELECT ARRAY[NULL, NULL], 'hour', hour, sum(n)::bigint FROM (${rows}) AS counted GROUP BY hour HAVING sum(n) <> 0`;

/** To be named once and read twice. */
const HOURLY = `SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, count(*) AS n
  FROM contact GROUP BY 1, 2, 3`;

export const migration: Migration = {
  alters: ['contact'],
  up: [
    // cluster tells a dump restored elsewhere, where the transaction ids of as_of mean nothing.
    `CREATE TABLE contact_fold (
       no bigint GENERATED ALWAYS AS IDENTITY,
       as_of pg_snapshot NOT NULL,
       cluster bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
       changes bigint NOT NULL,
       folded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
       CONSTRAINT contact_fold_pk PRIMARY KEY (no)
     ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,

    `CREATE TABLE contact_count (
       slice text[] NOT NULL,
       period text NOT NULL,
       starts_at timestamptz NOT NULL,
       n bigint NOT NULL,
       CONSTRAINT contact_count_pk PRIMARY KEY (slice, period, starts_at),
       CONSTRAINT contact_count_slice_ck CHECK (cardinality(slice) = 2),
       CONSTRAINT contact_count_period_ck CHECK (period IN ('ever', 'month', 'day', 'hour'))
     ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,

    // Without a fold nothing is taken for counted, until the next one counts anew.
    `CREATE FUNCTION contact_log_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       TRUNCATE contact_search, contact_change, contact_count, contact_fold;
       RETURN NULL;
     END $$`,
    `CREATE TRIGGER contact_log_truncate AFTER TRUNCATE ON contact
       FOR EACH STATEMENT EXECUTE FUNCTION contact_log_truncate()`,

    `CREATE FUNCTION contact_last_fold() RETURNS contact_fold
       LANGUAGE plpgsql STABLE ${READ_BY_INDEX} AS $$
     DECLARE last contact_fold;
     BEGIN
       SELECT * INTO last FROM contact_fold ORDER BY no DESC LIMIT 1;
       RETURN last;
     END $$`,

    // The number of contacts in a slice, exact for the calling statement; null when nothing is counted yet.
    `CREATE FUNCTION contact_total(slice text[]) RETURNS bigint
       LANGUAGE plpgsql STABLE ${READ_BY_INDEX} AS $$
     DECLARE last contact_fold := contact_last_fold();
     BEGIN
       IF last.no IS NULL THEN RETURN NULL; END IF;
       RETURN COALESCE((SELECT n FROM contact_count c WHERE c.slice = contact_total.slice AND period = 'ever'), 0)
         + COALESCE((SELECT sum(sign) FROM contact_changes_since(last.as_of) c
             WHERE (slice[1] IS NULL OR c.contact_type = slice[1]) AND (slice[2] IS NULL OR c.source = slice[2])), 0);
     END $$`,

    // Where a deep page begins, newest first: of the contacts created before \`before\`, \`rest\` are to be skipped to
    // have skipped \`skip\` in all. From months down to days (and hours), always into the one the page begins in.
    `CREATE FUNCTION contact_page_start(slice text[], skip bigint, OUT before timestamptz, OUT rest bigint)
       LANGUAGE plpgsql STABLE ${READ_BY_INDEX} AS $$
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
     END $$`,

    // A snapshot does not tell its own transaction's changes from those that are still to come.
    `CREATE FUNCTION contact_require_nothing_written() RETURNS void LANGUAGE plpgsql AS $$
     BEGIN
       IF EXISTS (SELECT FROM contact_change WHERE xid = pg_current_xact_id_if_assigned()) THEN
         RAISE EXCEPTION 'Contacts are counted in a transaction of its own, not in one that has written any.'
           USING ERRCODE = 'active_sql_transaction';
       END IF;
     END $$`,

    // Counts everything anew, as of one snapshot, while reads and writes go on.
    `CREATE FUNCTION contact_recount() RETURNS void LANGUAGE plpgsql AS $$
     BEGIN
       LOCK TABLE contact IN ACCESS SHARE MODE;
       PERFORM contact_require_nothing_written();
       PERFORM pg_advisory_xact_lock(hashtext('contact_fold'));
       DELETE FROM contact_change;
       DELETE FROM contact_fold;
       DELETE FROM contact_count;
       WITH hourly AS MATERIALIZED (${HOURLY}),
         counted AS (INSERT INTO contact_count (slice, period, starts_at, n) ${cells('TABLE hourly')})
       INSERT INTO contact_fold (as_of, changes) VALUES (pg_current_snapshot(), 0);
     END $$`,

    // Forgets the changes that nobody can still need: who remembers a total remembers the fold it saw, and the log
    // reaches back to the oldest fold kept.
    `CREATE FUNCTION contact_trim_log(keep_changes bigint) RETURNS void
       LANGUAGE plpgsql ${READ_BY_INDEX} AS $$
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
     END $$`,

    // Adds the logged changes to the counts. One process at a time; answers the number of changes folded, null when
    // another process is at it. Counts anew when nothing is counted yet, or when the counts came here with a dump.
    `CREATE FUNCTION contact_fold_changes(keep_changes bigint DEFAULT 50000) RETURNS bigint LANGUAGE plpgsql AS $$
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
         INSERT INTO contact_count AS c (slice, period, starts_at, n) ${cells('TABLE changed')}
         ON CONFLICT (slice, period, starts_at) DO UPDATE SET n = c.n + EXCLUDED.n
       )
       INSERT INTO contact_fold (as_of, changes)
       SELECT pg_current_snapshot(), sum(changes) FROM changed HAVING sum(changes) > 0
       RETURNING changes INTO folded;

       IF folded > 0 THEN PERFORM contact_trim_log(keep_changes); END IF;
       RETURN COALESCE(folded, 0);
     END $$`,

    // Where counts and contacts disagree, at one snapshot; no row is what everybody hopes for.
    `CREATE FUNCTION contact_count_faults()
       RETURNS TABLE (slice text[], period text, starts_at timestamptz, counted bigint, actual bigint)
       LANGUAGE sql STABLE AS $$
       WITH hourly AS MATERIALIZED (${HOURLY}), changed AS MATERIALIZED (
         SELECT contact_type, source, date_trunc('hour', created_at, 'UTC') AS hour, sign AS n
         FROM contact_changes_since((contact_last_fold()).as_of)
       ), kept AS (
         SELECT slice, period, starts_at, sum(n)::bigint AS n FROM (
           SELECT slice, period, starts_at, n FROM contact_count UNION ALL ${cells('TABLE changed')}
         ) AS cell GROUP BY 1, 2, 3
       )
       SELECT slice, period, starts_at, COALESCE(kept.n, 0), COALESCE(actual.n, 0)
       FROM kept FULL JOIN (${cells('TABLE hourly')}) AS actual USING (slice, period, starts_at)
       WHERE COALESCE(kept.n, 0) <> COALESCE(actual.n, 0)
     $$`,
  ],

  down: [
    `DROP TRIGGER contact_log_truncate ON contact`,
    `DROP FUNCTION contact_count_faults()`,
    `DROP FUNCTION contact_fold_changes(bigint)`,
    `DROP FUNCTION contact_trim_log(bigint)`,
    `DROP FUNCTION contact_recount()`,
    `DROP FUNCTION contact_require_nothing_written()`,
    `DROP FUNCTION contact_page_start(text[], bigint)`,
    `DROP FUNCTION contact_total(text[])`,
    `DROP FUNCTION contact_last_fold()`,
    `DROP FUNCTION contact_log_truncate()`,
    `DROP TABLE contact_count`,
    `DROP TABLE contact_fold`,
  ],
};
