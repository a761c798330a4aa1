// What PostgreSQL does for a statement of the service: its plan on a connection like its own, and the rows it reads.
import { jest } from '@jest/globals';
import pg from 'pg';

/** A statement as it was sent. */
export interface Sent {
  readonly text: string;
  readonly values: readonly unknown[];
  /** What its connection was opened with, such as `-c jit=off`. */
  readonly options: string;
  /** Whether it has a name, by which the connection knows it the next time. */
  readonly isNamed: boolean;
}

/** The statements that the service sends while `work` runs, on whichever of its connections. */
export async function sentDuring(work: () => Promise<unknown>): Promise<Sent[]> {
  const query = jest.spyOn(pg.Client.prototype, 'query');
  try {
    await work();
    return query.mock.calls.map((call: unknown[], index) => {
      const [given, values] = call;
      const config = (typeof given === 'string' ? { text: given, values } : given) as pg.QueryConfig;
      const { connectionParameters } = query.mock.contexts[index] as {
        connectionParameters: { options?: string };
      };
      return {
        text: config.text,
        values: config.values ?? [],
        options: connectionParameters.options ?? '',
        isNamed: config.name !== undefined,
      };
    });
  } finally {
    query.mockRestore();
  }
}

export const isForAnyValues = ({ options }: Sent): boolean =>
  options.includes('plan_cache_mode=force_generic_plan');

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Parent Relationship'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Function Name'?: string;
  /** Per loop, as all of these. */
  readonly 'Actual Rows': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** Part of a plan. */
export class Part {
  constructor(private readonly nodes: readonly PlanNode[]) {}

  /** What it reads from: index names, and `whole <table>` for a table that is read from end to end. */
  get sources(): string[] {
    return [...new Set(this.nodes.flatMap((node) => sourceOf(node) ?? []))].toSorted();
  }

  get sorts(): boolean {
    return this.nodes.some((node) => node['Node Type'].endsWith('Sort'));
  }

  /** Rows, or entries of an index, that it reads, whether they pass or not. */
  get reads(): number {
    const rows = this.nodes.filter(sourceOf).map((node) => {
      const passed = node['Actual Rows'];
      const others = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
      return (passed + others) * node['Actual Loops'];
    });
    return Math.round(rows.reduce((sum, count) => sum + count, 0));
  }
}

function sourceOf(node: PlanNode): string | undefined {
  // A thousand rows at most, whichever way they are read.
  if (node['Relation Name'] === 'contact_fold') return undefined;
  return node['Node Type'] === 'Seq Scan' ? `whole ${node['Relation Name']}` : node['Index Name'];
}

/** How a statement was run. */
export class Run {
  constructor(
    private readonly root: PlanNode,
    /** Rows and index entries read of each table, also within functions and triggers. */
    readonly visits: Readonly<Record<string, number>>,
    /** Tables of which all rows were read, also within functions and triggers. */
    readonly scanned: readonly string[],
  ) {}

  /** What finds the rows of a page: below the outermost LIMIT, but for that of the sets of values. */
  get page(): Part {
    const shown = this.pageNodes.filter(isShown).flatMap(below);
    return new Part(this.pageNodes.filter((node) => !shown.includes(node)));
  }

  /** How often at most anything is looked up, or put together, to be shown with the page. */
  get shown(): number {
    return Math.max(
      0,
      ...below(this.root)
        .filter(isShown)
        .map((node) => node['Actual Loops']),
    );
  }

  /** What is read once for the whole list: for its total, or to collect the matches of which the page is a part. */
  get whole(): Part {
    const page = new Set(this.pageNodes);
    const once = below(this.root).filter(
      (node) => node['Parent Relationship'] === 'InitPlan' && !page.has(node),
    );
    return new Part([...new Set(once.flatMap(below))]);
  }

  /** The statement from end to end. */
  get all(): Part {
    return new Part(below(this.root));
  }

  private get pageNodes(): PlanNode[] {
    const limit = below(this.root).find((node) => node['Node Type'] === 'Limit' && !readsWhoAsks(node));
    return limit ? below(limit) : [];
  }
}

/** A company's name, or what is made of a contact. */
const isShown = (node: PlanNode): boolean =>
  node['Index Name'] === 'company_pk' || node['Parent Relationship'] === 'SubPlan';

/** Whether it limits how many sets of values the statement is for, one here. */
function readsWhoAsks({ Plans = [] }: PlanNode): boolean {
  return Plans.some((node) => node['Function Name'] === 'json_to_recordset');
}

function below(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(below)];
}

/** A prepared statement is planned for its values five times; from then on PostgreSQL may keep a plan for any. */
const SETTLED = 6;

/** Runs statements again, on connections of its own that are like those the statements took. */
export class Planner {
  private readonly clients = new Map<string, Promise<pg.Client>>();
  private prepared = 0;

  /** @param settings that the planner goes by, beyond those a connection of the service brings along. */
  constructor(
    private readonly databaseUrl: string,
    private readonly settings: Readonly<Record<string, string | number>>,
  ) {}

  async end(): Promise<void> {
    for (const client of await Promise.all(this.clients.values())) await client.end();
  }

  /** One run for each plan that the statement may get: for its values, for any, or first the one and then the other. */
  async runsOf(sent: Sent): Promise<Run[]> {
    const first = await this.run(sent, 1);
    return sent.isNamed && !isForAnyValues(sent) ? [first, await this.run(sent, SETTLED)] : [first];
  }

  /** Runs the statement for the `use`th time, and undoes it. */
  private async run({ text, values, options }: Sent, use: number): Promise<Run> {
    const client = await this.clientWith(options);
    const name = `run_${(this.prepared += 1)}`;
    const execute = `EXECUTE ${name}${values.length > 0 ? `(${values.map(literal).join(', ')})` : ''}`;
    await client.query(`PREPARE ${name} AS ${text}`);
    for (let time = 1; time < use; time += 1) await client.query(`EXPLAIN ${execute}`);
    await client.query('BEGIN');
    try {
      const before = await countersOf(client);
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${execute}`,
      );
      const after = await countersOf(client);
      const [answer] = rows as [(typeof rows)[number]];
      return new Run(answer['QUERY PLAN'][0].Plan, visitsBetween(before, after), scansBetween(before, after));
    } finally {
      await client.query('ROLLBACK');
    }
  }

  private clientWith(options: string): Promise<pg.Client> {
    const known = this.clients.get(options);
    if (known) return known;
    const settings = Object.entries(this.settings).map(([name, value]) => `-c ${name}=${value}`);
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      options: [options, ...settings].join(' '),
    });
    const connected = client.connect().then(() => client);
    this.clients.set(options, connected);
    return connected;
  }
}

/** A parameter as EXECUTE takes it; pg's own way is for the protocol alone. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (!Array.isArray(value))
    return pg.escapeLiteral(typeof value === 'string' ? value : JSON.stringify(value));
  const elements = value.map((element) => (element === null ? 'NULL' : JSON.stringify(element)));
  return pg.escapeLiteral(`{${elements.join(',')}}`);
}

/** What this transaction has read so far, of a table itself or of one of its indexes. */
interface Counter {
  readonly relation: string;
  readonly is_index: boolean;
  readonly read: number;
}

async function countersOf(client: pg.Client): Promise<Counter[]> {
  const { rows } = await client.query<Counter>(
    `SELECT t.relname AS relation, t.oid <> r.oid AS is_index, pg_stat_get_xact_tuples_returned(r.oid)::int AS read
     FROM pg_class t LEFT JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class r ON r.oid IN (t.oid, i.indexrelid)
     WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
     GROUP BY t.relname, t.oid, r.oid ORDER BY r.oid`,
  );
  return rows;
}

function visitsBetween(before: readonly Counter[], after: readonly Counter[]): Record<string, number> {
  const visits: Record<string, number> = {};
  after.forEach(({ relation, read }, place) => {
    visits[relation] = (visits[relation] ?? 0) + read - (before[place]?.read ?? 0);
  });
  return visits;
}

function scansBetween(before: readonly Counter[], after: readonly Counter[]): string[] {
  const scans = after.filter(({ is_index, read }, place) => !is_index && read > (before[place]?.read ?? 0));
  return scans.map(({ relation }) => relation);
}
