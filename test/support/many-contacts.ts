// So many contacts that the planner has a choice to make: skewed as real ones are, created over three years.
import type pg from 'pg';

/** Half the words are a draw's, so that any two columns of a row are independent; the same on every server. */
const draw = (number: string, what: number): string =>
  `((hashint8extended(${number}, ${what}) & 4294967295) / 4294967296.0::float8)`;

/** One of the words, by how many of a thousand rows have it; null is for the rest. */
function word(number: string, what: number, shares: Record<string, number>): string {
  let reached = 0;
  const cases = Object.entries(shares).map(
    ([value, share]) => `WHEN ${draw(number, what)} < ${(reached += share) / 1000} THEN '${value}'`,
  );
  return `CASE ${cases.join(' ')} END`;
}

const TYPES = { lead: 350, client: 300, end_user: 250, candidate: 80, investor: 17, press: 3 };
const SOURCES = { manual: 400, website: 300, import: 210, referral: 80, event: 10 };
const PRODUCTS = { crm: 250, seo: 100, ads: 30, beta: 2 };
const PIPELINE_STAGES = { new: 240, contacted: 140, won: 40, lost: 3 };
const FUNNEL_STAGES = { awareness: 250, interest: 140, decision: 60, purchase: 3 };
const FIRST_NAMES = { Jane: 200, John: 200, Zoë: 100, Łukasz: 100, Mary: 100, Ahmed: 100, Li: 100, Ana: 99 };
const LAST_NAMES = { Smith: 60, Müller: 50, Garcia: 40, Novák: 10, Zephyrine: 1 };

export const COMPANIES = 1_000;

/**
 * Fills the empty tables of a migrated database through their triggers. The last of the companies have few contacts, the
 * first (co_1) one of thirty; contacts are inserted in order of creation, as a service does it.
 */
export async function insertManyContacts(db: pg.Client, count: number): Promise<void> {
  await db.query(
    `INSERT INTO company (id, name, domain, company_type, product, source, monthly_revenue)
     SELECT 'co_' || n, 'Company ' || n, 'company' || n || '.example', ${word('n', 1, { client: 300, partner: 100, prospect: 600 })},
       ${word('n', 2, PRODUCTS)}, ${word('n', 3, { website: 300, manual: 700 })}, CASE WHEN n % 3 > 0 THEN n * 10 END
     FROM generate_series(1, $1::bigint) AS n`,
    [COMPANIES],
  );
  const moment = `timestamptz '2023-01-01Z' + interval '3 years' * (n / $1::float8)`;
  await db.query(
    `INSERT INTO contact (id, email, company_id, first_name, last_name, contact_type, source, product, pipeline_stage,
       funnel_stage, engagement_score, tags, notes, portal_access, portal_role, created_at, updated_at)
     SELECT 'ct_' || n, CASE WHEN has_email THEN 'person' || n || '@example.org' END, company_id,
       ${word('n', 4, FIRST_NAMES)},
       COALESCE(${word('n', 5, LAST_NAMES)}, CASE WHEN n % 500 = 0 THEN '王伟' ELSE 'Family' || n % 5000 END),
       COALESCE(${word('n', 6, TYPES)}, 'lead'), COALESCE(${word('n', 7, SOURCES)}, 'manual'),
       ${word('n', 8, PRODUCTS)}, ${word('n', 9, PIPELINE_STAGES)}, ${word('n', 10, FUNNEL_STAGES)},
       CASE WHEN ${draw('n', 11)} < 0.4 THEN round(1000 * ${draw('n', 12)}) END,
       NULLIF(concat_ws(',', ${word('n', 13, { vip: 100, board: 2 })}, ${word('n', 14, { newsletter: 300 })}), ''),
       repeat('What was said on the telephone. ', (5 * ${draw('n', 15)})::int),
       (has_email AND portal < 0.02)::int, CASE WHEN portal < 0.005 THEN 'client_admin' WHEN portal < 0.025 THEN 'client_viewer' END,
       created_at, created_at + (timestamptz '2026-01-01Z' - created_at) * ${draw('n', 16)}
     FROM (
       SELECT n, ${moment} AS created_at, ${draw('n', 17)} AS portal,
         CASE WHEN ${draw('n', 18)} < 0.8 THEN 'co_' || 1 + floor(${COMPANIES} * power(${draw('n', 19)}, 2))::int END AS company_id,
         ${draw('n', 18)} >= 0.8 OR ${draw('n', 20)} < 0.9 AS has_email
       FROM generate_series(1, $1::bigint) AS n
     ) AS drawn ORDER BY n`,
    [count],
  );
  // Counted, with a log that holds nothing any more: as folds leave it in time.
  await db.query('SELECT contact_recount()');
  // What autovacuum does in time, and does here before the first plan: by every row, 300 for each step of the target, and
  // not by a sample drawn at random, or else plans of nearly equal cost would be another one now and then.
  await db.query(`SET default_statistics_target = ${Math.ceil(count / 300)}`);
  await db.query(
    'VACUUM (ANALYZE) contact, contact_search, contact_count, contact_change, contact_fold, company',
  );
}
