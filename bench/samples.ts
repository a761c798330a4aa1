// What the requests are made of, chosen from the data: at random, and yet the same in every run.
import type pg from 'pg';
import { PRODUCTS, TITLES } from './data/rows.ts';
import { type PortalUser, signInPortalUsers } from './portal-users.ts';

export interface Samples {
  /** Ids of companies of a usual size. */
  companies: string[];
  portalUsers: PortalUser[];
  /** Those of contacts drawn at random, so that the frequent ones are asked for as often as they occur. */
  combinations: { type: string; source: string }[];
  frequentTerms: string[];
  rareTerms: string[];
  /** Numbers of pages around the middle of the list. */
  middlePages: number[];
  /** Ids of contacts. */
  ids: string[];
  /** Contacts to insert, without an address. */
  newContacts: object[];
  titles: readonly string[];
  stages: string[];
}

const LIMIT = 25;
const STAGES = ['new', 'contacted', 'qualified', 'proposal', 'won', 'lost'];

export async function chooseSamples(client: pg.Client, contacts: number): Promise<Samples> {
  const column = async (statement: string): Promise<string[]> =>
    (await client.query<{ value: string }>(statement)).rows.map(({ value }) => value);
  const companies = await column(`
    SELECT id AS value FROM (SELECT id FROM company ORDER BY hashtextextended(id, 1) LIMIT 2000) AS candidate
    WHERE (SELECT count(*) FROM contact WHERE company_id = candidate.id) BETWEEN 10 AND 200 LIMIT 1000`);
  const { rows: combinations } = await client.query<{ type: string; source: string }>(`
    SELECT contact_type AS type, source FROM contact ORDER BY hashtextextended(id, 4) LIMIT 200`);
  const ids = await column('SELECT id AS value FROM contact ORDER BY hashtextextended(id, 2) LIMIT 5000');
  const { rows: newContacts } = await client.query<object>(`
    SELECT first_name, last_name, company_id, title, department, phone, contact_type, source,
      COALESCE(tags, '${PRODUCTS[0]}') AS tags
    FROM contact WHERE company_id IS NOT NULL AND title IS NOT NULL AND department IS NOT NULL AND phone IS NOT NULL
    ORDER BY hashtextextended(id, 3) LIMIT 500`);
  return {
    companies,
    portalUsers: await signInPortalUsers(client),
    combinations,
    frequentTerms: await column(`SELECT term AS value FROM bench.term WHERE kind = 'frequent' ORDER BY term`),
    rareTerms: await column(`SELECT term AS value FROM bench.term WHERE kind = 'rare' ORDER BY term`),
    middlePages: middlePages(contacts),
    ids,
    newContacts,
    titles: TITLES,
    stages: STAGES,
  };
}

/** Up to 500 pages within five percent of the middle, in no order. */
function middlePages(contacts: number): number[] {
  const pages = Math.ceil(contacts / LIMIT);
  const width = Math.max(1, Math.floor(pages / 10));
  const first = Math.max(1, Math.floor((pages - width) / 2));
  const count = Math.min(500, width);
  // A step that has no divisor in common with a width visits each page once; a prime has one only with its multiples.
  const step = width % 7919 === 0 ? 7907 : 7919;
  return Array.from({ length: count }, (_, index) => first + ((index * step) % width));
}
