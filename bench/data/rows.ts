// The statements that insert the generated companies and contacts, each row in the order it was created.
import { forShare, literal, pick, place, unit, weighted } from './draw.ts';
import { EMAIL } from './people.ts';

/** Creation ends here whenever the data is made: the same data on every machine and day. */
const END = `'2026-11-01T00:00:00Z'::timestamptz`;
const SPAN_SECONDS = 3 * 365 * 86_400;
/** One block of contacts in so many came as an import, all at one moment. */
const IMPORT_BLOCK = 200;
const IMPORTED_BLOCKS = 0.03;

/** Passed to the service, whose contacts answer those of their tags that name one. */
export const PRODUCTS = ['crm', 'billing', 'support', 'analytics'];

const TYPES = [
  ['end_user', 45],
  ['lead', 25],
  ['client', 15],
  ['candidate', 6],
  ['partner', 4],
  ['investor', 2],
  ['vendor', 2],
  ['press', 1],
] as const;
const SOURCES = [
  ['website', 30],
  ['import', 20],
  ['manual', 14],
  ['referral', 10],
  ['linkedin', 8],
  ['conference', 6],
  ['webinar', 5],
  ['cold_call', 4],
  ['partner', 2],
  ['api', 1],
] as const;
const STAGES = [
  [null, 40],
  ['new', 24],
  ['contacted', 14],
  ['qualified', 10],
  ['proposal', 6],
  ['won', 4],
  ['lost', 2],
] as const;
const FUNNEL = [
  [null, 50],
  ['awareness', 25],
  ['interest', 14],
  ['decision', 8],
  ['purchase', 3],
] as const;
const ENRICHMENT = [
  [null, 60],
  ['done', 25],
  ['pending', 10],
  ['failed', 5],
] as const;
const DEPARTMENTS =
  `Sales,Engineering,Operations,Marketing,Finance,Support,Administration,Human Resources,Legal,
Purchasing,Research,Management`.split(/,\s*/);
const RANKS =
  `Manager,Specialist,Engineer,Director,Assistant,Head of,Consultant,Coordinator,Analyst,Vice President,
Officer,Trainee`.split(/,\s*/);
/** All that a contact may have. */
export const TITLES = DEPARTMENTS.flatMap((department) => RANKS.map((rank) => `${department} ${rank}`));
const INDUSTRIES =
  `Software,Manufacturing,Retail,Healthcare,Finance,Logistics,Energy,Education,Media,Food,Construction,
Travel`.split(/,\s*/);
/** A prime number of them, so that any step walks through tags that differ. */
const TAGS =
  `newsletter,crm,vip,billing,beta,support,analytics,webinar,trial,churn-risk,renewal,referral,speaker,partner,
alumni,press,decision-maker,technical,champion,detractor,upsell,onboarding,event-2024,event-2025,event-2026,priority,
nurture,cold,warm,hot,gdpr,opt-in,survey,advocate,reseller,student,nonprofit,government,startup,enterprise,
community`.split(/,\s*/);

/** Statement that inserts companies; $1 and $2 bound their places, from and before. */
export const INSERT_COMPANIES = `
  INSERT INTO company (id, name, domain, industry, employee_count, company_type, status, product, source,
    health_score, monthly_revenue, created_at, updated_at)
  SELECT id, name, domain, ${pick('industry', INDUSTRIES, 1.5)}, 1 + ${place('size', 20_000, 6)},
    ${weighted('kind', [
      ['prospect', 6],
      ['client', 3],
      ['partner', 1],
    ])},
    ${weighted('kind', [
      ['active', 9],
      ['inactive', 1],
    ])},
    ${forShare('kind', 0.5, pick('industry', PRODUCTS))}, ${weighted('kind', SOURCES)},
    ${place('health', 101)}, ${forShare('size', 0.6, 'round((size * 50000)::numeric, 2)')},
    created_at, created_at
  FROM (
    SELECT k.*, ${unit('k.place', 'industry')} AS industry, ${unit('k.place', 'size')} AS size,
      ${unit('k.place', 'kind')} AS kind, ${unit('k.place', 'health')} AS health,
      ${END} - make_interval(secs => ${SPAN_SECONDS} * (1 + ${unit('k.place', 'founded')})) AS created_at
    FROM draw.company AS k WHERE k.place >= $1 AND k.place < $2 OFFSET 0
  ) AS company ORDER BY place`;

/** Growth: each year brings more contacts than the year before. `number` is a row's, from 1 to `contacts`. */
function createdAt(number: string, contacts: number): string {
  return `${END} - make_interval(secs => ${SPAN_SECONDS} * (1 - power((${number})::float8 / ${contacts + 1}, 0.7)))`;
}

/** Statement that inserts contacts; $1 and $2 bound their numbers, from and before. */
export function insertContacts(contacts: number): string {
  const block = `p.number / ${IMPORT_BLOCK}`;
  const moment = `CASE WHEN ${unit(block, 'import')} < ${IMPORTED_BLOCKS} THEN ${block} * ${IMPORT_BLOCK}
    ELSE p.number END`;
  const draws = [
    'type',
    'source',
    'stage',
    'funnel',
    'title',
    'department',
    'phone',
    'score',
    'enrichment',
    'tags',
  ];
  draws.push('portal', 'changed', 'product', 'override', 'notes');
  const updated = `created_at + make_interval(secs => changed * extract(epoch FROM ${END} - created_at))`;
  const chosenTags = [0, 1, 2, 3].map(
    (turn) =>
      `CASE WHEN product > ${0.3 + turn * 0.2} THEN (ARRAY[${TAGS.map(literal).join(',')}])[1 +
        (${place('tags', TAGS.length, 2)} + ${turn} * (1 + ${place('notes', TAGS.length - 1)})) % ${TAGS.length}] END`,
  );
  return `
  INSERT INTO contact (id, email, company_id, first_name, last_name, full_name_override, title, role, department,
    phone, contact_type, source, pipeline_stage, funnel_stage, product, engagement_score, last_engagement_at,
    enrichment_status, enrichment_data, linkedin_url, tags, notes, portal_access, portal_role, created_at, updated_at)
  SELECT 'ct_' || draw.key(number), email, company_id, first, last,
    ${forShare('override', 0.01, `'Dr. ' || first || ' ' || last`)},
    ${forShare('title', 0.8, `${pick('department', DEPARTMENTS)} || ' ' || ${pick('title / 0.8', RANKS, 1.5)}`)},
    ${forShare('phone', 0.1, `'decision maker'`)}, ${forShare('title', 0.85, pick('department', DEPARTMENTS))},
    ${forShare('phone', 0.6, `'+1 555 ' || lpad((phone * 10000000)::integer::text, 7, '0')`)},
    ${weighted('type', TYPES)}, ${weighted('source', SOURCES)}, ${weighted('stage', STAGES)},
    ${weighted('funnel', FUNNEL)}, ${forShare('product', 0.25, pick('product * 4', PRODUCTS))},
    ${forShare('score', 0.7, 'round((score * 142)::numeric, 1)')}, ${forShare('score', 0.6, updated)},
    ${weighted('enrichment', ENRICHMENT)},
    ${forShare(
      'abs(enrichment - 0.7)',
      0.1,
      `jsonb_build_object('employees', (phone * 5000)::integer, 'seniority', ${pick('title', ['senior', 'junior', 'executive'])},
        'skills', jsonb_build_array(${pick('tags', TAGS)}, ${pick('notes', TAGS)}), 'verified', score < 0.5)`,
    )},
    ${forShare('override', 0.4, `'https://www.linkedin.com/in/' || split_part(COALESCE(email, draw.key(number)), '@', 1)`)},
    NULLIF(concat_ws(',', ${chosenTags.join(', ')}), ''),
    ${forShare('notes', 0.15, `'Met at ' || ${pick('department', ['a conference', 'the office', 'a webinar'])} || '; call back.'`)},
    CASE WHEN portal < 0.005 AND email IS NOT NULL THEN 1 ELSE 0 END,
    CASE WHEN portal < 0.001 AND email IS NOT NULL THEN 'client_admin'
      WHEN portal < 0.005 AND email IS NOT NULL THEN 'client_viewer' END,
    created_at, ${updated}
  FROM (
    SELECT p.number, f.name AS first, l.name || COALESCE('-' || s.name, '') AS last, k.id AS company_id,
      ${EMAIL} AS email, ${createdAt(moment, contacts)} AS created_at,
      ${draws.map((what) => `${unit('p.number', what)} AS ${what}`).join(', ')}
    FROM draw.person AS p
    JOIN draw.first_name AS f ON f.place = p.first_name
    JOIN draw.last_name AS l ON l.place = p.last_name
    LEFT JOIN draw.last_name AS s ON s.place = p.second_name
    LEFT JOIN draw.company AS k ON k.place = p.company
    WHERE p.number >= $1 AND p.number < $2 OFFSET 0
  ) AS drawn ORDER BY number`;
}
