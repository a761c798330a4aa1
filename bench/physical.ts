// The physical limit: the statements that the service sends for a request, under pgbench without any service.
import type pg from 'pg';
import { isInstalled, measure } from './load.ts';
import { tidyUp } from './measure.ts';
import { INSERTED_DOMAIN, OPERATIONS, type Request, UNIQUE } from './operations.ts';
import type { Options } from './options.ts';
import { pgbench } from './pgbench.ts';
import type { Progress } from './progress.ts';
import { type Recorder, type Statement, startRecorder } from './recorder.ts';
import { aligned, number } from './report.ts';
import { type Samples, chooseSamples } from './samples.ts';
import { type Server, askedOf } from './servers.ts';
import { tellResults } from './tell.ts';

interface Physical {
  client: pg.Client;
  url: string;
  /** Starts the service on a database reached by this URL. */
  start: (name: Server['name'], databaseUrl: string) => Promise<Server>;
  options: Options;
}

/** Recorded per operation, each then a script of its own, which each client has to plan once. */
const RECORDED = 5;
/** At once, as the service's pool has them. */
const CLIENTS = 10;
/** Not part of a request: what the service does meanwhile, and what only asks whether the connection lives. */
const BESIDE =
  /^\s*(SELECT\s+(contact_fold_changes|clean_pending_lists|pg_backend_pid|pg_try_advisory_lock)|LISTEN|SELECT 1\b|SELECT current_setting|SELECT FROM pg_stat_activity)|\bpgboss\.|\b(FROM|UPDATE) api_key\b|\bINTO rate_limit\b/i;

export async function comparePhysical(physical: Physical, progress: Progress): Promise<void> {
  if (!isInstalled('pgbench')) throw new Error('pgbench is not installed: it comes with PostgreSQL.');
  const recorder = await startRecorder(physical.url);
  try {
    await compare(recorder, physical, progress);
  } finally {
    recorder.stop();
  }
}

async function compare(
  recorder: Recorder,
  { client, url, start, options }: Physical,
  progress: Progress,
): Promise<void> {
  const heard = await start('service', recorder.url);
  const measured = await start('service', url);
  const samples = await chooseSamples(client, options.contacts);
  const operations = OPERATIONS.filter(({ key }) => options.operations.includes(key));
  await client.query('DROP SEQUENCE IF EXISTS bench.written; CREATE SEQUENCE bench.written');
  const patched = await writePatched(client, samples);
  const rows: string[][] = [];
  progress.begin('statements under pgbench');
  for (const { key, title, connections, requests: make } of operations) {
    const requests = make(samples);
    const scripts: string[] = [];
    let statements = 0;
    for (const request of requests.slice(0, RECORDED)) {
      const recorded = await record(recorder, heard, request);
      if (recorded.length === 0) throw new Error(`The service answers ${request.path} without the database.`);
      statements = recorded.length;
      scripts.push(recorded.map((statement) => `${scriptOf(statement, patched)};\n`).join(''));
    }
    const { seconds } = options;
    const limit = await pgbench(url, { scripts, clients: Math.min(connections, CLIENTS), seconds });
    const load = { server: measured, requests, connections, seconds };
    await measure({ ...load, unique: `w${key}` });
    const { requestsPerSecond } = await measure({ ...load, unique: `p${key}` });
    rows.push([
      `${key}. ${title}`,
      String(statements),
      number(limit),
      number(requestsPerSecond),
      `${number((100 * requestsPerSecond) / limit)} %`,
    ]);
    progress.step(rows.length, operations.length, key);
  }
  await tidyUp(client);
  progress.done();
  const headings = ['operation', 'statements', 'pgbench /s', 'service /s', 'of it'];
  tellResults(options, { headings, rows }, () => aligned([headings, ...rows]));
}

/** The second time: what the service remembers of the first is part of how it works. */
async function record(recorder: Recorder, server: Server, request: Request): Promise<Statement[]> {
  const { method, path, headers, body } = askedOf(server, request);
  for (const time of [1, 2]) {
    recorder.take();
    const answer = await fetch(server.url + path, {
      method,
      headers,
      body: body?.replaceAll(UNIQUE, `r${time}n${Math.random().toString(36).slice(2)}`),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${text}`);
  }
  return recorder.take().filter(({ text }) => !BESIDE.test(text));
}

/** As many contacts as the service patches, by number, for statements that patch any of them; answers how many. */
async function writePatched(client: pg.Client, samples: Samples): Promise<number> {
  const patches = OPERATIONS.find(({ key }) => key === 'h')?.requests(samples) ?? [];
  const ids = [...new Set(patches.map(({ path }) => path.split('/').at(-1)))];
  await client.query(
    'DROP TABLE IF EXISTS bench.patched; CREATE TABLE bench.patched (n integer PRIMARY KEY, id text)',
  );
  await client.query(
    'INSERT INTO bench.patched SELECT n, id FROM unnest($1::text[]) WITH ORDINALITY AS one (id, n)',
    [ids],
  );
  return ids.length;
}

/** The statement with its values written out; what is written is other rows each time, as the service does it. */
function scriptOf({ text, values }: Statement, patched: number): string {
  const isPatch = /^\s*WITH changed AS \(\s*UPDATE contact\b/i.test(text);
  const isWrite = isPatch || /^\s*INSERT INTO contact\b/i.test(text);
  const literals = values.map((value) => (value === null ? 'NULL' : literal(value)));
  if (isWrite) literals[0] = varied(literals[0] ?? '', isPatch ? ANY_PATCH : ANY_INSERT);
  // pgbench takes a colon and a letter for a variable of its own, even in a literal such as 'HH24:MI'.
  const written = text
    .replaceAll(/(?<!:):(?=[A-Za-z_])/g, `'||':'||'`)
    .replaceAll(/\$(\d+)/g, (_, index: string) => literals[Number(index) - 1] ?? 'NULL');
  return isPatch ? `\\set n random(1, ${patched})\n${written}` : written;
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''").replaceAll(/:(?=[A-Za-z_])/g, `'||':'||'`)}'`;
}

/** Expressions that take the place of what stands in the JSON of a row. */
type Variation = readonly (readonly [RegExp, string])[];
const NEXT = `nextval('bench.written')`;
const ANY_INSERT: Variation = [
  [/(?<="id":")ct_\w+(?=")/, `'ct_bench' || ${NEXT}`],
  [/(?<="email":")[^"]+(?=")/, `${NEXT} || '@${INSERTED_DOMAIN}'`],
];
const ANY_PATCH: Variation = [
  [/(?<="id":")ct_\w+(?=")/, '(SELECT id FROM bench.patched WHERE n = :n)'],
  [/(?<="title":"[^"]*)(?=")/, NEXT],
  [/(?<="pipeline_stage":")\w+(?=")/, `('{new,won,lost}'::text[])[1 + ${NEXT} % 3]`],
];

/** @throws Error where the rows of a statement are not what they were when this was written. */
function varied(rows: string, variation: Variation): string {
  const json = variation.reduce((text, [place, expression]) => {
    if (!place.test(text)) throw new Error(`There is no ${place.source} in what is written: ${rows}`);
    return text.replace(place, () => `' || ${expression} || '`);
  }, rows);
  return `(${json})::json`;
}
