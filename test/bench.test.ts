// The benchmark runs from end to end on a small data set; how fast anything is, is not asked here.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Finished } from './support/process.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONTACTS = 2000;
const SERVERS = ['service', 'fastify-pg', 'nest-typeorm'];

beforeAll(dropDatabase);
afterAll(dropDatabase);

/** Whatever TEST_DATABASE_URL leads to may have one from a run that was interrupted. */
async function dropDatabase(): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.TEST_SERVER_URL });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS contacts_bench_${CONTACTS} WITH (FORCE)`);
  await client.end();
}

async function run(program: string, args: string[]): Promise<Finished> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: process.env.TEST_SERVER_URL },
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
  const { code, stdout, stderr } = await run('npm', [
    'run',
    '--silent',
    'bench',
    '--',
    '--operations',
    'd2,g',
    '--json',
    '-',
    ...size,
  ]);
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
}, 120_000);

test.each([
  [['--opperations', 'a'], 'There is no option --opperations; did you mean --operations?'],
  [['--operations', 'a,x'], 'there is no operation "x"; choose from a, b, c, d1, d2, e, f, g, h.'],
  [['--contacts', 'many'], '--contacts takes a whole number from 1000 to 30000000, not "many".'],
])('refuses %j with a sentence that helps', async (options, sentence) => {
  const refused = { code: 2, stdout: '', stderr: expect.stringContaining(sentence) };
  expect(await run(process.execPath, ['--no-warnings', 'bench/run.ts', ...options])).toMatchObject(refused);
});

async function countContacts(): Promise<number | undefined> {
  const url = Object.assign(new URL(process.env.TEST_SERVER_URL ?? ''), {
    pathname: `/contacts_bench_${CONTACTS}`,
  });
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::integer AS count FROM contact');
  await client.end();
  return rows[0]?.count;
}
