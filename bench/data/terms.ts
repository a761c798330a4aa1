// Search terms, found in the data: frequent ones that about 2.8 % of the contacts match, rare ones with 33 per million.
import type pg from 'pg';
import { group } from '../progress.ts';
import { FIRST_NAMES, LAST_NAMES } from './names.ts';

const FREQUENT_SHARE = 0.028;
const FREQUENT_TERMS = 12;
const RARE_SHARE = 33e-6;
const RARE_TERMS = 200;

/** Writes the table bench.term (kind, term, matches), and answers a sentence about it. */
export async function findTerms(client: pg.Client, contacts: number): Promise<string> {
  await client.query(
    'CREATE TABLE bench.term (kind text, term text, matches integer, PRIMARY KEY (kind, term))',
  );
  await client.query(FREQUENT, [fragments(), FREQUENT_SHARE * contacts, FREQUENT_TERMS]);
  await client.query(RARE, [Math.max(1, RARE_SHARE * contacts), RARE_TERMS]);
  const { rows } = await client.query<{ text: string }>(
    `SELECT string_agg(format('%s %s (%s to %s matches)', terms, kind, least, most), ', ' ORDER BY kind) AS text
     FROM (SELECT kind, count(*) AS terms, min(matches) AS least, max(matches) AS most FROM bench.term GROUP BY kind)
       AS kinds`,
  );
  return rows[0]?.text ?? group(0);
}

/**
 * What people type: the first three or four letters of a name. Letters that occur in a name with an accent are left
 * out, so that a term means the same to whoever ignores accents and to whoever does not.
 */
function fragments(): string[] {
  const names = [...FIRST_NAMES, ...LAST_NAMES];
  const accented = names.filter(({ name, slug }) => name.toLowerCase() !== slug).map(({ slug }) => slug);
  const beginnings = names.flatMap(({ slug }) => [3, 4].map((length) => slug.slice(0, length)));
  return [...new Set(beginnings)].filter(
    (text) => text.length >= 3 && !accented.some((slug) => slug.includes(text)),
  );
}

/** Likely ones are found in a sample, and then counted. */
const FREQUENT = `
  WITH sample AS MATERIALIZED (
    SELECT lower(full_name) || ' ' || COALESCE(email, '') AS text FROM contact ORDER BY id LIMIT 4000
  ), likely AS MATERIALIZED (
    SELECT term FROM (
      SELECT term, (SELECT avg((strpos(text, term) > 0)::integer) FROM sample) AS share
      FROM unnest($1::text[]) AS term
    ) AS shares
    ORDER BY abs(ln((share + 0.0001) / ($2::float8 / (SELECT count(*) FROM contact)))), term LIMIT 3 * $3::integer
  )
  INSERT INTO bench.term
  SELECT 'frequent', term, matches FROM likely
  CROSS JOIN LATERAL (
    SELECT count(*) AS matches FROM contact
    WHERE full_name ILIKE '%' || term || '%' OR email ILIKE '%' || term || '%'
  ) AS counted
  ORDER BY abs(ln((matches + 1) / $2::float8)), term LIMIT $3`;

/** First and last name of some, with a space for the name or a dot for the address, whose number is about right. */
const RARE = `
  INSERT INTO bench.term
  SELECT 'rare', term, matches FROM (
    SELECT CASE WHEN (row_number() OVER (ORDER BY distance, draw.key(pair))) % 2 = 0
      THEN lower(f.name) || ' ' || lower(l.name) ELSE f.slug || '.' || l.slug END AS term
    FROM (
      SELECT first_name, last_name, first_name * 10000 + last_name AS pair,
        abs(ln(count(*) / $1::float8)) AS distance
      FROM draw.person GROUP BY first_name, last_name
    ) AS pairs
    JOIN draw.first_name AS f ON f.place = first_name AND lower(f.name) = f.slug
    JOIN draw.last_name AS l ON l.place = last_name AND lower(l.name) = l.slug
    ORDER BY distance, draw.key(pair) LIMIT $2
  ) AS pairs
  CROSS JOIN LATERAL (
    SELECT count(*) AS matches FROM contact
    WHERE full_name ILIKE '%' || term || '%' OR email ILIKE '%' || term || '%'
  ) AS counted
  WHERE matches > 0`;
