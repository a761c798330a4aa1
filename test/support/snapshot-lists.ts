// The service's own list of contacts, read on a connection whose snapshot is held open, and how it was read.
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { askedValues, forEachAsked } from '../../src/common/asked-together.js';
import type { JsonText } from '../../src/common/json-text.js';
import type { PreparedPool } from '../../src/common/prepared-pool.js';
import type { Servers } from '../../src/common/servers.js';
import type { Queryable } from '../../src/common/sql.js';
import { Products } from '../../src/config/products.js';
import { ContactListsRepository } from '../../src/contacts/contact-lists.repository.js';
import { shapeOf } from '../../src/contacts/list-shape.js';
import { RememberedTotals } from '../../src/contacts/remembered-totals.js';
import { type ListCall, callerOf, queryOf } from './random-lists.js';

export interface ListPage {
  readonly items: readonly { readonly id: string }[];
  readonly total?: number;
  readonly hasMore: boolean;
  readonly next_cursor?: string | null;
}

/** One statement of a list, and the total in its answer. */
interface Taken {
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly total: number | null;
}

/** One process of the service: what it remembers of one list it uses for the next. */
export class SnapshotLists {
  private readonly totals = new RememberedTotals();
  private readonly repository: ContactListsRepository;
  private taken: Taken[] = [];
  private client?: pg.Client;

  /**
   * @param ways counts the lists by how they were read.
   * @param hasReplica whether some of them may be read on a standby.
   */
  constructor(
    private readonly ways: Map<string, number>,
    hasReplica = false,
  ) {
    // Prepared where the service prepares: a plan for any values has to give the same as one for these.
    const prepared = this.route((text, values) => ({ name: nameOf(text), text, values })) as PreparedPool;
    const planned = this.route((text, values) => ({ text, values })) as DataSource;
    const read: Servers['read'] = (_reader, work) =>
      work({ name: 'primary', reads: this.route(askedTwice), prepared, planned });
    const servers = { hasReplica, read } as Servers;
    const products = new Products([]);
    this.repository = new ContactListsRepository(servers, products, this.totals);
  }

  /** The page as the service answers it, in the snapshot that `client` holds. */
  async read(client: pg.Client, call: ListCall, cursor = call.view.cursor): Promise<ListPage> {
    this.client = client;
    this.taken = [];
    const query = Object.assign(queryOf(call), { cursor });
    const caller = callerOf(call);
    const known = this.totals.recall(shapeOf(caller, query).key);
    const { text }: JsonText = await this.repository.list(caller, query);
    const taken = this.taken.map((statement, index) => ({
      ...statement,
      isLast: index === this.taken.length - 1,
    }));
    for (const statement of taken) this.count(wayOf(statement));
    if (known && caller.kind === 'portal') this.count('remembered of a company');
    if (known && (await isLater(client, known.asOf))) this.count('remembered in a later snapshot');
    const [start] = taken.filter(({ sql }) => sql.includes('contact_page_start('));
    if (start) this.count(`page start by ${await levelOf(client, start)}`);
    return JSON.parse(text) as ListPage;
  }

  private count(way: string): void {
    this.ways.set(way, (this.ways.get(way) ?? 0) + 1);
  }

  private route(sent: (text: string, values: unknown[]) => pg.QueryConfig): Queryable {
    return {
      query: async <Rows>(text: string, values: unknown[] = []): Promise<Rows> => {
        if (!this.client) throw new Error('Only lists are read here.');
        const { rows } = await this.client.query<{ total: number | null; asked_no?: number }>(
          sent(text, values),
        );
        // Of an answer for two, that for the second.
        const own = rows.filter((row) => row.asked_no !== 0);
        this.taken.push({ sql: text, values, total: own[0]?.total ?? null });
        return own as Rows;
      },
    };
  }
}

const nameOf = (text: string): string => `list_${createHash('md5').update(text).digest('hex')}`;

/** As short reads are sent. Of the two that ask, the second has to get what the first gets. */
function askedTwice(sql: string, values: unknown[]): pg.QueryConfig {
  const text = forEachAsked(sql);
  return { name: nameOf(text), text, values: [askedValues([values, values])] };
}

/** What a statement shows of the way that contact.list.ts chose. */
function wayOf({ sql, total, isLast }: Taken & { isLast: boolean }): string {
  const remembers = sql.includes('FROM contact_fold WHERE no =');
  if (sql.includes('(SELECT * FROM contact_search')) {
    if (isLast) return 'walk';
    return total === null && remembers ? 'walk, total not known' : 'walk, in vain';
  }
  const way = remembers ? 'remembered' : sql.includes('contact_total(') ? 'of a slice' : 'counted';
  return isLast ? way : `${way}, not known`;
}

/** Whether the total's snapshot sees what the one that `client` reads in does not see yet. */
async function isLater(client: pg.Client, asOf: string): Promise<boolean> {
  const { rows } = await client.query<{ later: boolean }>(
    `SELECT pg_snapshot_xmax($1) > pg_snapshot_xmax(seen)
       OR EXISTS (SELECT FROM pg_snapshot_xip(seen) AS running WHERE pg_visible_in_snapshot(running, $1)) AS later
     FROM pg_current_snapshot() AS seen`,
    [asOf],
  );
  return rows[0]?.later ?? false;
}

/** What the page's start was found by: it begins before the end of a month, a day or an hour. */
async function levelOf(client: pg.Client, { sql, values }: Taken): Promise<string> {
  const [, slice, skip] = /contact_page_start\(\$(\d+)::text\[\], \$(\d+)::bigint\)/.exec(sql) ?? [];
  const { rows } = await client.query<{ level: string }>(
    `SELECT CASE WHEN before = 'infinity' THEN 'nothing'
       WHEN date_trunc('month', before, 'UTC') = before THEN 'month'
       WHEN date_trunc('day', before, 'UTC') = before THEN 'day' ELSE 'hour' END AS level
     FROM contact_page_start($1::text[], $2)`,
    [values[Number(slice) - 1], values[Number(skip) - 1]],
  );
  return rows[0]?.level ?? '';
}
