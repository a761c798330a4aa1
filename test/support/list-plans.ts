// The service on a large table, and the plans of its statements there, told in a line that a test can compare.
import { expect } from '@jest/globals';
import pg from 'pg';
import { insertManyContacts } from './many-contacts.js';
import { Planner, type Run, type Sent, isForAnyValues, sentDuring } from './plan.js';
import { type Client, TestService } from './service.js';
import { waitUntil } from './wait.js';

/**
 * Enough for the plans of a million: costs grow alike with the table, and what passes a filter is a share of it. Only of
 * rare matches whose index has another order (a tag, access to the portal) a small table collects and sorts all, where
 * a large one walks the list's own index past the others: whichever reads fewer rows.
 */
export const CONTACTS = 50_000;

/**
 * What the planner goes by, whatever the configuration of the server: reading a page out of turn costs hardly more than
 * in turn, as on solid-state disks, and most pages are in memory. With random_page_cost = 4, for turning disks, pages
 * are found in the same ways, but some first totals are counted by reading all contacts. Scans are not forbidden: an
 * index has to be the better way. A scan by several processes is the same scan, and only in one it can be counted.
 * What a connection of the service brings along is kept: jit = off, and a plan for any values on the lanes.
 */
const SETTINGS = {
  random_page_cost: 1.1,
  effective_cache_size: '4GB',
  enable_seqscan: 'on',
  max_parallel_workers_per_gather: 0,
};

/** Of a page of 25: one row more tells whether there is a next page. */
export const PAGE = 26;
/** The planner looks at the ends of an index, too. */
const GLANCES = 20;
/** Counts that lead to a deep page: at most those of three years' months, a month's days and a day's hours. */
const COUNTS = 36 + 31 + 24;

/**
 * Parameters of a list; what its page is found by ("sorted" if that has another order, "matches" if they were collected
 * for the total); how the total is had: by which index, or from the counts, or from a remembered one and the log.
 */
export type ListPlan = readonly [query: string, page: string, total: string, reads?: Reads];

/** How many rows are read at most, where it is not a page's and for the total the matches. */
interface Reads {
  readonly page?: number | 'matches';
  readonly total?: number;
}

export class ListPlans {
  private constructor(
    readonly service: TestService,
    private readonly planner: Planner,
  ) {}

  static async start(): Promise<ListPlans> {
    const service = await TestService.start({ PORTAL_PRODUCTS: 'crm,seo' });
    const plans = new ListPlans(service, new Planner(service.databaseUrl, SETTINGS));
    try {
      await fill(service.databaseUrl);
      // The lanes are opened by the first reads, which the pool takes meanwhile.
      await waitUntil(async () => (await plans.listing('/api/contacts')).statement.every(isForAnyValues));
    } catch (error) {
      await plans.stop();
      throw error;
    }
    return plans;
  }

  async stop(): Promise<void> {
    await this.planner.end();
    await this.service.stop();
  }

  /** Asks for a list and compares how it is read, on whichever plan its statement may get. */
  async expect(path: string, [, page, total, reads = {}]: ListPlan, client?: Client): Promise<void> {
    const { statement, matches } = await this.listing(path, client);
    expect(statement).toHaveLength(1);
    for (const run of await this.runsOf(statement)) {
      expect({ page: pageOf(run), total: totalOf(run, statement[0] as Sent) }).toEqual({ page, total });
      const most = reads.page === 'matches' ? matches : (reads.page ?? PAGE);
      expect(run.page.reads).toBeLessThanOrEqual(most);
      expect(run.whole.reads).toBeLessThanOrEqual(reads.total ?? matches);
      expect(run.shown).toBeLessThanOrEqual(PAGE);
      // Functions read the log and the counts, and nothing else.
      const { contact = 0, contact_search = 0, company = 0, contact_count = 0 } = run.visits;
      expect(contact + contact_search + company).toBeLessThanOrEqual(run.all.reads + GLANCES);
      expect(contact_count).toBeLessThanOrEqual(COUNTS + GLANCES);
    }
  }

  /** The statement of a list, more if the first did not lead there; and the number of matches. */
  private async listing(
    path: string,
    client = this.service.api,
  ): Promise<{ statement: Sent[]; matches: number }> {
    let matches = 0;
    const sent = await sentDuring(async () => {
      const { status, body } = await client.get(path);
      expect(status).toBe(200);
      matches = body.data.total ?? CONTACTS;
    });
    return { statement: sent.filter(({ text }) => text.includes('page AS (')), matches };
  }

  /** How the statements on contacts and companies run that the service sends during `work`. */
  async during(work: () => Promise<unknown>): Promise<Run[]> {
    const sent = await sentDuring(work);
    return this.runsOf(
      sent.filter(({ text }) => /\b(FROM|INTO|UPDATE) (contact|contact_search|company)\b/.test(text)),
    );
  }

  private async runsOf(sent: readonly Sent[]): Promise<Run[]> {
    const runs: Run[] = [];
    for (const statement of sent) runs.push(...(await this.planner.runsOf(statement)));
    return runs;
  }
}

/** As of a few rows that are found by their keys. */
export function expectFewReads({ scanned, visits }: Run): void {
  expect(scanned).toEqual([]);
  expect(Object.values(visits).reduce((sum, count) => sum + count)).toBeLessThan(25);
}

async function fill(databaseUrl: string): Promise<void> {
  const db = new pg.Client({ connectionString: databaseUrl });
  await db.connect();
  try {
    await insertManyContacts(db, CONTACTS);
  } finally {
    await db.end();
  }
}

function pageOf({ page }: Run): string {
  return [page.sorts ? 'sorted' : '', page.sources.join(' + ') || 'matches'].join(' ').trim();
}

function totalOf({ whole }: Run, { text }: Sent): string {
  if (whole.sources.length > 0) return whole.sources.join(' + ');
  if (text.includes('contact_total(')) return 'counts';
  return text.includes('contact_changes_since(') ? 'log' : 'none';
}
