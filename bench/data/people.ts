// Who the generated contacts are: company, name and e-mail address, each address once.
import { literal, place, unit } from './draw.ts';
import { BUSINESSES, FIRST_NAMES, LAST_NAMES, type Name } from './names.ts';

export const CONTACTS_PER_COMPANY = 50;
const WITHOUT_COMPANY = 0.08;
const WITHOUT_EMAIL = 0.02;
/** Of those who have two last names or a second first name. */
const DOUBLE_NAMES = 0.03;
const MAIL_DOMAINS = ['mail', 'inbox', 'post', 'webmail', 'letters'].map((name) => `${name}.example`);

/** Tables in the schema `draw`: names by their place, companies, and one row per contact in order of creation. */
export function peopleStatements(contacts: number): string[] {
  const companies = Math.max(1, Math.floor(contacts / CONTACTS_PER_COMPANY));
  return [
    nameTable('first_name', FIRST_NAMES),
    nameTable('last_name', LAST_NAMES),
    companyTable(companies),
    personTable(contacts, companies),
    `CREATE UNIQUE INDEX ON draw.person (number)`,
    `ANALYZE draw.first_name, draw.last_name, draw.company, draw.person`,
  ];
}

function nameTable(table: string, names: readonly Name[]): string {
  const rows = names.map(({ name, slug }, index) => `(${index}, ${literal(name)}, ${literal(slug)})`);
  return `CREATE UNLOGGED TABLE draw.${table} AS SELECT * FROM (VALUES ${rows.join(',')}) AS v (place, name, slug)`;
}

/** Places of last names and businesses run through every pair before a branch number has to tell companies apart. */
function companyTable(companies: number): string {
  const pairs = LAST_NAMES.length * BUSINESSES.length;
  const businesses = `ARRAY[${BUSINESSES.map(literal).join(',')}]`;
  return `CREATE UNLOGGED TABLE draw.company AS
    SELECT numbered.place, 'co_' || draw.key(numbered.place) AS id,
      founder.name || ' ' || business || CASE WHEN branch > 0 THEN ' ' || branch + 1 ELSE '' END AS name,
      founder.slug || '-' || lower(business) || CASE WHEN branch > 0 THEN (branch + 1)::text ELSE '' END || '.example'
        AS domain
    FROM (
      SELECT place, place % ${LAST_NAMES.length} AS founder_place, place / ${pairs} AS branch,
        (${businesses})[1 + (place / ${LAST_NAMES.length} + place % ${LAST_NAMES.length}) % ${BUSINESSES.length}] AS business
      FROM generate_series(0, ${companies - 1}) AS place
    ) AS numbered JOIN draw.last_name AS founder ON founder.place = founder_place
    ORDER BY numbered.place`;
}

/** Two with the same name at the same domain are told apart by a number, as mail administrators do. */
function personTable(contacts: number, companies: number): string {
  const drawn = `
    SELECT number,
      CASE WHEN ${unit('number', 'employed')} >= ${WITHOUT_COMPANY}
        THEN ${place(unit('number', 'company'), companies, 2)} END AS company,
      ${place(unit('number', 'first name'), FIRST_NAMES.length, 2)} AS first_name,
      ${place(unit('number', 'last name'), LAST_NAMES.length, 2)} AS last_name,
      CASE WHEN ${unit('number', 'double')} < ${DOUBLE_NAMES}
        THEN ${place(unit('number', 'second name'), LAST_NAMES.length, 2)} END AS second_name,
      ${place(unit('number', 'mail domain'), MAIL_DOMAINS.length, 2)} AS mail_domain,
      ${unit('number', 'address')} >= ${WITHOUT_EMAIL} AS has_email
    FROM generate_series(1::bigint, ${contacts}) AS number`;
  return `CREATE UNLOGGED TABLE draw.person AS
    SELECT *, row_number() OVER (
      PARTITION BY COALESCE(company, -1 - mail_domain), first_name, last_name ORDER BY number
    ) AS namesake
    FROM (${drawn}) AS drawn ORDER BY number`;
}

/** Expression of the address over person p, first_name f, last_name l and company k; null for some in a company. */
export const EMAIL = `CASE WHEN p.company IS NULL OR p.has_email THEN
  f.slug || '.' || l.slug || CASE WHEN p.namesake > 1 THEN p.namesake::text ELSE '' END || '@'
  || COALESCE(k.domain, (ARRAY[${MAIL_DOMAINS.map(literal).join(',')}])[1 + p.mail_domain]) END`;
