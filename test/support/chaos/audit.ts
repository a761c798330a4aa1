// Compares what was acknowledged with what the database holds.
import type pg from 'pg';
import { ContactCountsRepository } from '../../../src/contacts/contact-counts.repository.js';
import { type Writers, possibleTitles } from './writers.js';

export interface Findings {
  /** Acknowledged writes that are not there. */
  readonly lost: string[];
  /** Contacts that were made more than once. */
  readonly doubled: string[];
  /** Transactions of which one half is there. */
  readonly torn: string[];
}

/** @param db where the writes have to be. */
export async function audit(writers: Writers, db: pg.Client): Promise<Findings> {
  const { rows } = await db.query<{ marker: string; contacts: number; entries: number }>(
    `SELECT c.first_name AS marker, count(DISTINCT c.id)::int AS contacts, count(l.subject_id)::int AS entries
     FROM contact c LEFT JOIN auth_audit_log l ON l.subject_id = c.id AND l.event = 'portal_access_granted'
     WHERE c.first_name IS NOT NULL GROUP BY 1`,
  );
  const made = new Map(rows.map((row) => [row.marker, row]));
  const titles = await db.query<{ id: string; title: string | null }>('SELECT id, title FROM contact');
  const titleOf = new Map(titles.rows.map(({ id, title }) => [id, title]));
  const lost: string[] = [];
  const doubled: string[] = [];
  const torn: string[] = [];
  for (const { marker, outcome, isAudited } of writers.creations) {
    const { contacts, entries } = made.get(marker) ?? { contacts: 0, entries: 0 };
    if (outcome === 'acknowledged' && contacts === 0) lost.push(marker);
    if (contacts > 1) doubled.push(marker);
    if (entries !== (isAudited ? contacts : 0)) torn.push(marker);
  }
  for (const { id, titles: given } of writers.changes) {
    const title = titleOf.get(id) ?? undefined;
    if (!possibleTitles(given).includes(title)) lost.push(`${id} has the title ${title}`);
  }
  return { lost, doubled, torn };
}

/** What is derived from contacts and not as it should be: counts, and search documents. */
export async function derivedFaults(db: pg.Client): Promise<unknown[]> {
  const repository = new ContactCountsRepository({
    query: async (sql, values) => (await db.query(sql, values)).rows as never,
  });
  const { counts, log } = await repository.compareCounts();
  const faults: unknown[] = [...counts.shown];
  if (log.folded !== log.held) faults.push({ log });
  for (let after = null as Parameters<ContactCountsRepository['compareDocuments']>[0]; ;) {
    const compared = await repository.compareDocuments(after);
    faults.push(...compared.faults);
    if (compared.end === null) return faults;
    after = compared.end;
  }
}

/** How many sessions of the service a server has, by what they are for. */
export async function sessions(db: pg.Client): Promise<Record<string, number>> {
  const { rows } = await db.query<{ name: string; count: number }>(
    `SELECT application_name AS name, count(*)::int AS count FROM pg_stat_activity
     WHERE application_name LIKE 'contacts%' GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}
