// 64 writers at once on one type and source, past the service and through it: what the triggers cost that keep counts and
// search documents, what counts cost alone, and whether one is lost.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { isInstalled, measure } from './load.ts';
import { quiet, rotated, tidyUp } from './measure.ts';
import { INSERTED_DOMAIN, type Request, UNIQUE } from './operations.ts';
import type { Options } from './options.ts';
import { pgbench } from './pgbench.ts';
import type { Progress } from './progress.ts';
import { aligned, number } from './report.ts';
import { median } from './results.ts';
import type { Server } from './servers.ts';
import { tellResults } from './tell.ts';

const WRITERS = 64;
const TYPE = 'lead';
const SOURCE = 'website';
/** At least so much of the throughput without triggers. */
const TARGET = 0.8;

/** Statements by themselves, or requests to the service, which sends together what comes together. */
const WAYS = ['statements', 'requests'] as const;
type Way = (typeof WAYS)[number];

/** Each inserts rows of its own; a patch changes what filters and counts look at, in any of the inserted rows. */
const STATEMENTS = {
  insert: `INSERT INTO contact (id, email, first_name, last_name, contact_type, source)
    SELECT 'ct_bench' || n, n || '@${INSERTED_DOMAIN}', 'Anna', 'Smith', '${TYPE}', '${SOURCE}'
    FROM nextval('bench.written') AS n`,
  patch: `UPDATE contact SET updated_at = now(), pipeline_stage = CASE pipeline_stage WHEN 'new' THEN 'won' ELSE 'new' END,
      contact_type = CASE contact_type WHEN '${TYPE}' THEN 'client' ELSE '${TYPE}' END
    WHERE id = (SELECT 'ct_bench' || (1 + floor(random() * last_value))::bigint FROM bench.written)`,
};
type Write = keyof typeof STATEMENTS;
const WRITES = Object.keys(STATEMENTS) as Write[];

/** Of the rows that statements have inserted so many, if there are as many, are patched by requests, in turn. */
const PATCHED = 2_000;

/** The same as requests. */
function requestsOf(write: Write, rows: number): Request[] {
  if (write === 'insert') {
    const email = `${UNIQUE}@${INSERTED_DOMAIN}`;
    const contact = { email, first_name: 'Anna', last_name: 'Smith', contact_type: TYPE, source: SOURCE };
    return [{ method: 'POST', path: '/api/contacts', body: JSON.stringify(contact) }];
  }
  const turns = [
    { contact_type: 'client', pipeline_stage: 'won' },
    { contact_type: TYPE, pipeline_stage: 'new' },
  ];
  return turns.flatMap((changes) =>
    Array.from({ length: Math.min(rows, PATCHED) }, (_, index) => ({
      method: 'PATCH' as const,
      path: `/api/contacts/ct_bench${index + 1}`,
      body: JSON.stringify(changes),
    })),
  );
}

/** What the triggers keep meanwhile. */
const KEPT = ['everything', 'counts', 'nothing'] as const;
type Kept = (typeof KEPT)[number];

interface Rate {
  write: Write;
  way: Way;
  kept: Kept;
  /** Writes per second. */
  rate: number;
}

interface Writes {
  client: pg.Client;
  url: string;
  start: (name: Server['name']) => Promise<Server>;
  options: Options;
}

/** @throws Error when the service's totals differ from a count afterwards. */
export async function compareWrites(
  { client, url, start, options }: Writes,
  progress: Progress,
): Promise<void> {
  const triggers = await keepingTriggers(client);
  if (triggers.length === 0)
    throw new Error('This schema has no triggers that keep counts or search documents.');
  const service = await start('service'); // it folds the counts meanwhile, as it does in production
  const rates: Rate[] = [];
  progress.begin(`${WRITERS} writers`);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const kept of rotated(KEPT, round)) {
      await client.query('DROP SEQUENCE IF EXISTS bench.written; CREATE SEQUENCE bench.written');
      await keep(client, triggers, kept);
      try {
        for (const way of WAYS)
          for (const write of WRITES) {
            const rate = await (way === 'statements'
              ? throughput(url, STATEMENTS[write], options.seconds)
              : throughService(service, requestsOf(write, await inserted(client)), options.seconds));
            rates.push({ write, way, kept, rate });
            const of = WAYS.length * WRITES.length * KEPT.length * options.rounds;
            progress.step(rates.length, of, `${write} by ${way}, ${kept} kept`);
          }
        // Whoever has left has still been answered.
        await quiet(client);
        if (kept !== 'nothing') await requireExact(client, service);
      } finally {
        // Rows that came without the triggers have to go without them, whatever ends this.
        await tidyUp(client);
        await keep(client, triggers, 'everything');
      }
    }
  }
  await requireExact(client, service);
  progress.done();
  tell(rates, options);
}

/** The triggers of contact whose functions write what the service derives from it. */
async function keepingTriggers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT t.tgname AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = 'contact'::regclass AND NOT t.tgisinternal
       AND p.prosrc ~ 'contact_(change|search|count)' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

async function keep(client: pg.Client, triggers: readonly string[], kept: Kept): Promise<void> {
  const on = kept === 'nothing' ? 'DISABLE' : 'ENABLE';
  const changes = triggers.map((name) => `${on} TRIGGER ${pg.escapeIdentifier(name)}`);
  await client.query(`
    ALTER TABLE contact ${changes.join(', ')};
    DROP TRIGGER IF EXISTS bench_no_document ON contact_search`);
  // Counts alone: each document is made and then thrown away, so that counts cost a little less than is measured.
  if (kept === 'counts') {
    await client.query(`
      CREATE OR REPLACE FUNCTION bench.no_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER bench_no_document BEFORE INSERT ON contact_search FOR EACH ROW EXECUTE FUNCTION bench.no_row()`);
  }
}

/** Statements per second. */
function throughput(url: string, statement: string, seconds: number): Promise<number> {
  return isInstalled('pgbench')
    ? pgbench(url, { scripts: [`${statement};\n`], clients: WRITERS, seconds })
    : byClients(url, statement, seconds);
}

/** Rows that statements have inserted: they are numbered from 1. */
async function inserted(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT last_value::integer AS count FROM bench.written',
  );
  return rows[0]?.count ?? 0;
}

async function throughService(server: Server, requests: Request[], seconds: number): Promise<number> {
  const unique = `w${randomBytes(4).toString('hex')}n`;
  const load = { server, requests, connections: WRITERS, seconds, unique };
  return (await measure(load)).requestsPerSecond;
}

async function byClients(url: string, statement: string, seconds: number): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: WRITERS });
  let done = 0;
  const deadline = performance.now() + seconds * 1000;
  const write = async (): Promise<void> => {
    const client = await pool.connect();
    try {
      for (; performance.now() < deadline; done += 1) await client.query({ name: 'write', text: statement });
    } finally {
      client.release();
    }
  };
  try {
    await Promise.all(Array.from({ length: WRITERS }, write));
    return done / seconds;
  } finally {
    await pool.end();
  }
}

/** The totals of the service are those of a count: of all, and of the type and source everybody wrote. */
async function requireExact(client: pg.Client, { url, headers }: Server): Promise<void> {
  const wanted: [string, string][] = [
    ['', 'true'],
    [`&type=${TYPE}&source=${SOURCE}`, `contact_type = '${TYPE}' AND source = '${SOURCE}'`],
    ['&type=client', `contact_type = 'client'`],
    ['&pipeline_stage=won', `pipeline_stage = 'won'`],
  ];
  for (const [filter, where] of wanted) {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM contact WHERE ${where}`,
    );
    const response = await fetch(`${url}/api/contacts?limit=1${filter}`, { headers });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`The service answers limit=1${filter} with ${response.status}: ${text}`);
    const { total } = (JSON.parse(text) as { data: { total: number } }).data;
    if (total !== rows[0]?.count) {
      throw new Error(`The total of limit=1${filter} is ${total}, but there are ${rows[0]?.count}.`);
    }
  }
}

function tell(rates: readonly Rate[], options: Options): void {
  const of = (write: Write, way: Way, kept: Kept): number =>
    median(
      rates
        .filter((one) => one.write === write && one.way === way && one.kept === kept)
        .map(({ rate }) => rate),
    );
  const results = WAYS.flatMap((way) =>
    WRITES.map((write) => {
      const [everything, counts, nothing] = KEPT.map((kept) => of(write, way, kept)) as [
        number,
        number,
        number,
      ];
      const ratios = { everything: everything / nothing, counts: counts / nothing };
      return { write, way, perSecond: { everything, counts, nothing }, ratios, target: TARGET };
    }),
  );
  const judged = (ratio: number): string => `${ratio.toFixed(2)} ${ratio >= TARGET ? '✓' : '✗'}`;
  const rows = results.map(({ write, way, perSecond, ratios }) => [
    `${write}, ${way}`,
    ...KEPT.map((kept) => number(perSecond[kept])),
    judged(ratios.counts),
    judged(ratios.everything),
  ]);
  const headings = [
    'write',
    ...KEPT.map((kept) => `${kept} kept /s`),
    'counts / nothing',
    'everything / nothing',
  ];
  tellResults(
    options,
    results,
    () =>
      `${aligned([headings, ...rows])}\n\nNo count is lost: totals agree with count(*). Both ratios are to be ${TARGET} at least.`,
  );
}
