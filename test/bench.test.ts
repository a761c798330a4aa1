// The benchmark runs from end to end on a small data set; how fast anything is, is not asked here.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { findProgram } from './support/find-program.js';
import type { Finished } from './support/process.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONTACTS = 2000;
const SMALLER = 1000;
const SERVERS = ['service', 'fastify-pg', 'nest-typeorm'];

beforeAll(dropDatabases);
afterAll(dropDatabases);

/** Whatever TEST_DATABASE_URL leads to may have one from a run that was interrupted. */
async function dropDatabases(): Promise<void> {
  for (const contacts of [SMALLER, CONTACTS])
    await query(`DROP DATABASE IF EXISTS contacts_bench_${contacts} WITH (FORCE)`);
}

/** @param contacts how many the bench's database is for; without it, the database that the tests' own URL leads to. */
async function query<Row extends object>(statement: string, contacts?: number): Promise<Row[]> {
  const url = new URL(process.env.TEST_SERVER_URL ?? '');
  if (contacts) url.pathname = `/contacts_bench_${contacts}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query<Row>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** As `npm run bench` does, on the build that the first test has it make. */
const bench = (args: string[], settings = {}): Promise<Finished> =>
  run(process.execPath, ['--no-warnings', 'bench/run.ts', ...args], settings);

async function run(program: string, args: string[], settings = {}): Promise<Finished> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: process.env.TEST_SERVER_URL, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

test('measures three servers that agree, and leaves the data as it was', async () => {
  const size = ['--contacts', String(CONTACTS), '--rounds', '1', '--seconds', '1', '--warm-up', '0'];
  const args = ['--operations', 'd2,g', '--json', '-', ...size];
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'bench', '--', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('requests compared') });

  const results = JSON.parse(stdout);
  const measured = {
    requestsPerSecond: expect.any(Number),
    p50: expect.any(Number),
    p99: expect.any(Number),
  };
  const servers = Object.fromEntries(SERVERS.map((name) => [name, measured]));
  const ratios = { 'fastify-pg': expect.any(Number), 'nest-typeorm': expect.any(Number) };
  expect(results).toMatchObject({ version: 1, contacts: CONTACTS, rounds: 1, seconds: 1 });
  expect(results.agreed).toBeGreaterThan(0);
  expect(results.operations).toMatchObject([
    { operation: 'd2', servers, ratios, targets: { 'fastify-pg': 2 } },
    { operation: 'g', servers, ratios, targets: { 'fastify-pg': 0.75, 'nest-typeorm': 2.2 } },
  ]);
  for (const { servers: rates } of results.operations) {
    for (const name of SERVERS) expect(rates[name].requestsPerSecond).toBeGreaterThan(0);
  }
  expect(await countContacts()).toBe(CONTACTS);
});

test('tells what tables and indexes take on disk, people and programs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'contacts-'));
  const file = join(folder, 'sizes.json');
  const { code, stdout } = await bench(['--sizes', '--json', file, '--contacts', String(CONTACTS)]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^contact_search +contact_search_document_ix +[\d,.]+$/m);
  const { sizes } = JSON.parse(await readFile(file, 'utf8')) as {
    sizes: { table: string; index: string | null; bytes: number }[];
  };
  await rm(folder, { recursive: true });
  const bytesOf = (table: string, index: string | null): number | undefined =>
    sizes.find((size) => size.table === table && size.index === index)?.bytes;
  // 200 bytes or more each, with the columns that every contact has.
  expect(bytesOf('contact', null)).toBeGreaterThan(CONTACTS * 200);
  expect(bytesOf('contact_search', 'contact_search_document_ix')).toBeGreaterThan(CONTACTS * 10);
  expect(sizes.filter(({ index }) => index?.startsWith('bench_'))).toEqual([]);
});

// It comes with PostgreSQL's own programs, which the embedded server has not all of.
(findProgram('pgbench') === undefined ? test.skip : test)(
  'sends the statements of the service by themselves, which write other rows each time or are refused',
  async () => {
    const size = ['--contacts', String(CONTACTS), '--seconds', '1', '--operations', 'f,g,h'];
    const { code, stdout, stderr } = await bench(['--physical', '--json', '-', ...size]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('under pgbench: done') });
    const { rows } = JSON.parse(stdout) as { rows: string[][] };
    expect(rows.map(([operation, statements]) => [operation?.slice(0, 2), statements])).toEqual([
      ['f.', '1'],
      ['g.', '1'],
      ['h.', '1'],
    ]);
    expect(await countContacts()).toBe(CONTACTS);
  },
);

test('measures no schema that somebody has changed', async () => {
  const alter = (change: string) =>
    query(`ALTER TABLE contact ${change} TRIGGER contact_log_insert`, CONTACTS);
  await alter('DISABLE');
  try {
    const { code, stderr } = await bench(['--sizes', '--contacts', String(CONTACTS)]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('--fresh makes it anew') });
    expect(stderr).toMatch(/is there: .* TRIGGER contact_log_insert .*\(disabled\)/);
    expect(stderr).toMatch(/is wanted: .* TRIGGER contact_log_insert .*\(enabled\)/);
  } finally {
    await alter('ENABLE');
  }
});

test('tells what becomes of an operation as contacts grow', async () => {
  // Given backwards: from the smallest on they come by themselves.
  const size = ['--growth', `${CONTACTS},${SMALLER}`, '--rounds', '1', '--seconds', '1', '--warm-up', '0'];
  const args = ['--operations', 'f,g', '--json', '-', ...size];
  const { code, stdout, stderr } = await bench(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('measuring: done') });

  const results = JSON.parse(stdout) as { operation: string; sizes: { requestsPerSecond: number }[] }[];
  const measured = {
    requestsPerSecond: expect.any(Number),
    p50: expect.any(Number),
    p99: expect.any(Number),
  };
  const sizes = [SMALLER, CONTACTS].map((contacts) => ({ contacts, ...measured }));
  expect(results).toMatchObject([
    { operation: 'f', sizes },
    { operation: 'g', sizes },
  ]);
  const rates = results.flatMap((result) => result.sizes.map(({ requestsPerSecond }) => requestsPerSecond));
  expect(Math.min(...rates)).toBeGreaterThan(0);
  expect([await countContacts(SMALLER), await countContacts()]).toEqual([SMALLER, CONTACTS]);
});

test('tells what a write pays for counts and documents, and keeps both afterwards', async () => {
  const size = ['--contacts', String(CONTACTS), '--rounds', '1', '--seconds', '2'];
  const args = ['--writes', '--json', '-', ...size];
  const { code, stdout, stderr } = await bench(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('64 writers: done') });

  const results = JSON.parse(stdout) as { write: string; way: string; perSecond: Record<string, number> }[];
  const measured = ['statements', 'requests'].flatMap((way) => [`insert ${way}`, `patch ${way}`]);
  expect(results.map(({ write, way }) => `${write} ${way}`)).toEqual(measured);
  for (const { perSecond } of results) {
    expect(Object.keys(perSecond)).toEqual(['everything', 'counts', 'nothing']);
    expect(Math.min(...Object.values(perSecond))).toBeGreaterThan(0);
  }
  expect(await countContacts()).toBe(CONTACTS);
  const left = `SELECT tgrelid::regclass::text AS table, tgname FROM pg_trigger
    WHERE tgname LIKE 'bench%' OR (tgrelid = 'contact'::regclass AND tgenabled = 'D')`;
  expect(await query(left, CONTACTS)).toEqual([]);
});

test('migrates a table in use, goes on after the run was killed, and undoes it all', async () => {
  // More than one batch before the third at which the first run is killed.
  const size = ['--contacts', '20000', '--seconds', '3'];
  const { code, stdout, stderr } = await bench(['--migration', '--json', '-', ...size]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('goes on at step 1') });

  const results = JSON.parse(stdout);
  const used = { read: { count: expect.any(Number) }, write: { count: expect.any(Number) } };
  const steps = [
    'log-contact-changes',
    'count-contacts',
    'search documents (killed)',
    'search documents',
    'contact_search_document_ix',
    'contact_search_short_ix',
    'SELECT contact_recount()',
    'drop-contact-search-text',
  ];
  expect(results).toMatchObject({ version: 1, contacts: 20_000, before: used, during: used, after: used });
  expect(results.steps.map(({ title }: { title: string }) => title)).toEqual(expect.arrayContaining(steps));
  expect(results.fill.brokenOffAt).toBe(5_000);
  expect(results.fill.rows).toBeGreaterThan(19_000);
  for (const kind of ['read', 'write']) expect(results.during[kind].count).toBeGreaterThan(0);
  expect(stderr).toContain('Undone 1764100000000-log-contact-changes');
  expect(await query(`SELECT FROM pg_database WHERE datname = 'contacts_bench_migration_20000'`)).toEqual([]);
});

const hasHaproxy = findProgram('haproxy') !== undefined;

test.each([
  // So few requests at once that there are others to refuse, however slow the machine that is to send them.
  ['the service', [], { HTTP_MAX_REQUESTS: '4' }],
  ...(hasHaproxy ? [['the service behind HAProxy', ['--behind-haproxy'], {}] as const] : []),
])('overloads %s, which answers some and refuses the rest', async (_what, more, settings) => {
  const size = ['--contacts', String(CONTACTS), '--rounds', '1', '--seconds', '3', '--warm-up', '0'];
  const args = ['--overload', '20', '--json', '-', ...size, ...more];
  const { code, stdout, stderr } = await bench(args, settings);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('20 times as many') });
  const rates = { perSecond: expect.any(Number), p50: expect.any(Number), p99: expect.any(Number) };
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ contacts: CONTACTS, good: rates, refused: rates });
  expect(result.failed).toEqual({});
  const [before, after] = result.peaks;
  expect(result.peak).toBeCloseTo((before + after) / 2);
  expect(result.offered).toBeCloseTo(before * 20);
  for (const { perSecond } of [result.good, result.refused]) expect(perSecond).toBeGreaterThan(0);
  expect(await countContacts()).toBe(CONTACTS);
});

test.each([
  [['--opperations', 'a'], 'There is no option --opperations; did you mean --operations?'],
  [['--operations', 'a,x'], 'there is no operation "x"; choose from a, b, b2, c, d1, d2, e, f, g, h.'],
  [['--growth', '1000,lots'], '--growth takes a whole number from 1000 to 30000000, not "lots".'],
  [['--sizes', '--chart', 'sizes.svg'], '--chart is for the comparison with the baselines, not for --sizes.'],
  [['--json', '/nowhere/results.json'], '--json: /nowhere/results.json cannot be written: ENOENT'],
  [['--json', '-', '--compare', 'then.json'], '--compare prints a table, where --json - prints JSON'],
  [['--contacts', 'many'], '--contacts takes a whole number from 1000 to 30000000, not "many".'],
])('refuses %j with a sentence that helps', async (options, sentence) => {
  const refused = { code: 2, stdout: '', stderr: expect.stringContaining(sentence) };
  expect(await bench(options)).toMatchObject(refused);
});

async function countContacts(contacts = CONTACTS): Promise<number | undefined> {
  const count = 'SELECT count(*)::integer AS count FROM contact';
  const [row] = await query<{ count: number }>(count, contacts);
  return row?.count;
}
