// Fills a migrated, empty database with companies and contacts, set by set.
import type pg from 'pg';
import { connect } from '../connection.ts';
import { type Progress, group } from '../progress.ts';
import { DRAWING_FUNCTIONS } from './draw.ts';
import { BENCH_INDEXES, createIndexes, dropIndexes } from './indexes.ts';
import { CONTACTS_PER_COMPANY, peopleStatements } from './people.ts';
import { INSERT_COMPANIES, insertContacts } from './rows.ts';
import { findTerms } from './terms.ts';

const FILLED = ['company', 'contact'];
const BATCH = 50_000;

interface Wanted {
  url: string;
  contacts: number;
  /** Whether searches are to be compared: with the baselines' indexes, and terms to search for. */
  searched: boolean;
}

/** Generates the contacts; the database is complete when this returns, and useless when it throws. */
export async function generate({ url, contacts, searched }: Wanted, progress: Progress): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(
      `SET statement_timeout = 0; SET client_min_messages = warning; SET work_mem = '256MB'; SET jit = off`,
    );
    const indexes = await dropIndexes(client, [...FILLED, 'contact_search']);
    for (const table of FILLED) await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);

    progress.begin('names and addresses');
    for (const statement of [...DRAWING_FUNCTIONS, ...peopleStatements(contacts)])
      await client.query(statement);
    progress.done();

    const companies = Math.max(1, Math.floor(contacts / CONTACTS_PER_COMPANY));
    await insertAll(
      client,
      { what: 'companies', statement: INSERT_COMPANIES, from: 0, rows: companies },
      progress,
    );
    const statement = insertContacts(contacts);
    await insertAll(client, { what: 'contacts', statement, from: 1, rows: contacts }, progress);
    await rebuildDerived(client, progress);

    progress.begin('indexes');
    await createIndexes(url, searched ? [...indexes, ...BENCH_INDEXES] : indexes, progress);
    for (const table of FILLED) await client.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
    progress.begin('vacuum and statistics');
    await client.query('VACUUM (ANALYZE)');
    progress.done();

    if (searched) {
      progress.begin('search terms');
      progress.done(await findTerms(client, contacts));
    }
    await client.query('DROP SCHEMA draw CASCADE');
    await client.query('CHECKPOINT').catch(() => {}); // a right not everybody has, and only for quiet at the start
  } finally {
    await client.end();
  }
}

interface Rows {
  what: string;
  statement: string;
  /** Number of the first row. */
  from: number;
  rows: number;
}

async function insertAll(
  client: pg.Client,
  { what, statement, from, rows }: Rows,
  progress: Progress,
): Promise<void> {
  progress.begin(what);
  for (let done = 0; done < rows;) {
    const next = Math.min(done + BATCH, rows);
    await client.query(statement, [from + done, from + next]);
    done = next;
    progress.step(done, rows);
  }
  progress.done(`${group(rows)} rows`);
}

/** Counts and search documents, which the triggers would have kept one row after the other; an old schema has none. */
async function rebuildDerived(client: pg.Client, progress: Progress): Promise<void> {
  const { rows } = await client.query(`SELECT FROM pg_class WHERE oid = to_regclass('contact_search')`);
  if (rows.length === 0) return;
  progress.begin('search documents and counts');
  await client.query(
    `INSERT INTO contact_search (contact_id, created_at, document)
     SELECT id, created_at, contact_document(full_name, email) FROM contact ORDER BY created_at, id`,
  );
  await client.query('SELECT contact_recount()');
  progress.done();
}
