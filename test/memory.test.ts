// What a request leaves behind in memory.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES } from '../src/auth/caller.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { freePort } from './support/free-port.js';
import { runEntry } from './support/process.js';
import { RunningService } from './support/running-service.js';
import { PATIENT } from './support/service.js';

/** So many ask at once, again and again: what is kept shows when others are under way. */
const CALLERS = 32;
const WARM_UP = 2_000;
const REQUESTS = 3_000;
const LOOK_EVERY = 250;
const ATTEMPTS = 3;
/** Bytes that a request may leave among what is old: a line of the log, compiled code. A whole request is 5,000 and more. */
const LEAVES = 1_500;

let database: TestDatabase;
let service: RunningService;
let metrics: string;
let headers: Record<string, string>;
/** A contact for each caller: whoever asks for the same shares an answer, and waits for the same row. */
const paths: string[] = [];
let asked = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  const settings = { DATABASE_URL: database.url, RATE_LIMIT_KEY: '0', ...PATIENT };
  const create = ['keys', 'create', '--name', 'all', '--scopes', SCOPES.join(',')];
  const { stdout } = await runEntry('cli', create, settings);
  headers = { 'x-sm-key': /smk_[\w-]+/.exec(stdout)?.[0] ?? '', 'content-type': 'application/json' };
  const port = String(await freePort());
  service = await RunningService.start({ ...settings, METRICS_PORT: port });
  metrics = `http://127.0.0.1:${port}/metrics`;
  for (let number = 0; number < CALLERS; number += 1) {
    const body = JSON.stringify({ email: `jane${number}@acme.com`, full_name: `Jane Smith ${number}` });
    const created = await fetch(`${service.url}/api/contacts`, { method: 'POST', headers, body });
    expect(created.status).toBe(201);
    paths.push(created.headers.get('location') ?? '');
  }
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Bytes in use among what is old. */
async function oldSpace(): Promise<number> {
  const text = await (await fetch(metrics)).text();
  return Number(/^nodejs_heap_space_size_used_bytes\{space="old"\} (\S+)$/m.exec(text)?.[1]);
}

/** Sends `count` requests, and answers by how many bytes what is old has grown with each. */
async function growth(count: number, send: () => Promise<Response>): Promise<number> {
  let grown = 0;
  let before = await oldSpace();
  for (let sent = 0; sent < count; sent += LOOK_EVERY) {
    await crowd(LOOK_EVERY, send);
    const now = await oldSpace();
    // It falls when the whole heap is looked through.
    grown += Math.max(0, now - before);
    before = now;
  }
  return grown / count;
}

/** Sends so many requests, by callers who each wait for their answer. */
async function crowd(count: number, send: () => Promise<Response>): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while ((left -= 1) >= 0) {
      const response = await send();
      await response.arrayBuffer();
      expect(response.status).toBe(200);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** A different one for each number, in a future in which all contacts are old. */
const dateOf = (number: number): string => new Date(4e12 + number).toISOString();
/** A different number each time. */
const next = (): number => (asked += 1);
const get = (path: string): Promise<Response> => fetch(service.url + path, { headers });
const patch = (path: string, body: object): Promise<Response> =>
  fetch(service.url + path, { method: 'PATCH', headers, body: JSON.stringify(body) });
const contact = (number: number): string => paths[number % CALLERS] ?? '';

test.each([
  ['a read', () => get(contact(next()))],
  ['a list', () => get(`/api/contacts?search=jane${next() % CALLERS}`)],
  // Each of another filter, so that each counts by itself.
  ['a long page', () => get(`/api/contacts?limit=32&search=smith&created_before=${dateOf(next())}`)],
  ['a write', () => patch(contact(next()), { title: `No. ${asked}` })],
])('%s leaves next to nothing behind', async (_what, send) => {
  await growth(WARM_UP, send);
  let least = Infinity;
  // On a busy machine many are under way for long, and pass for old: not each time.
  for (let attempt = 1; attempt <= ATTEMPTS && least >= LEAVES; attempt += 1)
    least = Math.min(least, await growth(REQUESTS, send));
  expect(least).toBeLessThan(LEAVES);
});
