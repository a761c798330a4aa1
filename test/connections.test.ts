// How many connections a process has to its database, which max_connections has to leave room for: as the document says.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { TestService } from './support/service.js';
import { waitUntil } from './support/wait.js';

const POOL = 3;
const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
/** Its words, wherever the lines end. */
const wordsOf = (path: string): string => read(path).replaceAll(/\s+(# )?/g, ' ');

/** The table of docs/scaling.md: name, most connections, and their way where there is a pooler. */
const ROW = /^\| `(contacts[\w-]*)` +\| +(\S+) \| .* \| (\S+) +\|$/gm;
const documented = [...read('docs/scaling.md').matchAll(ROW)].map(([, name = '', most = '', way = '']) => ({
  name,
  most: Number(most) || POOL,
  way,
}));

let database: TestDatabase;
/** A session of another name than the service's. */
let direct: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  direct = new pg.Client({ connectionString: database.url, application_name: 'test' });
  await direct.connect();
});
afterAll(async () => {
  await direct.end();
  await database.drop();
});

test('a process has the connections that docs/scaling.md lists, and the sum that is written elsewhere', async () => {
  const most = new Map<string, number>();
  const over = new AbortController();
  const watching = (async () => {
    for (; !over.signal.aborted; await sleep(5)) {
      const { rows } = await direct.query<{ name: string; count: number }>(
        `SELECT application_name AS name, count(*)::int AS count FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'contacts%' GROUP BY 1`,
      );
      for (const { name, count } of rows) most.set(name, Math.max(count, most.get(name) ?? 0));
    }
  })();
  const service = await TestService.start({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: String(POOL) });
  await service.api.get('/health/ready');
  await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      await service.api.post('/api/contacts', { email: `jane${n}@acme.com` });
      await service.api.get('/api/contacts');
    }),
  );
  // Some are opened a second after the start, or by the first who needs them; the sweep may be over between two looks.
  await waitUntil(async () => documented.every(({ name }) => name === 'contacts-sweep' || most.has(name)));
  over.abort();
  await watching;
  await service.stop();
  const names = documented.map(({ name }) => name).toSorted();
  expect([...new Set([...most.keys(), 'contacts-sweep'])].toSorted()).toEqual(names);
  for (const { name, most: limit } of documented) expect(most.get(name) ?? 0).toBeLessThanOrEqual(limit);
});

test('what is written elsewhere is the sum of these', () => {
  const sum = (way: RegExp): number =>
    documented
      .filter((row) => row.name !== 'contacts' && way.test(row.way))
      .reduce((total, { most }) => total + most, 0);
  const WORDS = 'none one two three four five six seven eight nine ten eleven'.split(' ');
  const all = WORDS[sum(/./)];
  const past = WORDS[sum(/^past$/)];
  expect(wordsOf('docs/scaling.md')).toContain(`\`DATABASE_POOL_SIZE\` and ${all} more`);
  expect(wordsOf('.env.example')).toContain(`and ${all} more`);
  expect(wordsOf('deploy/kubernetes/configmap.yaml')).toContain(`and ${all} more for each`);
  expect(wordsOf('docs/operations.md')).toContain(`${past} per process for`);
});
