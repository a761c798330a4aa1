// Many writers at once on one type and source, bulk loads among them: nobody deadlocks, and no count is lost.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { waitUntil } from '../support/wait.js';

const WRITERS = 64;
const ROUNDS = 8;
const BULK = 10_000;
/** What everybody writes to, and where some of it is moved. */
const HOT = { contact_type: 'client', source: 'manual', tags: 'hot,vip' };
const TYPES = ['client', 'lead', 'investor'];

/** The lists whose totals are compared, with the condition of their contacts. */
const LISTS: readonly (readonly [string, string])[] = [
  ['', 'true'],
  ['type=client', `contact_type = 'client'`],
  ['type=lead', `contact_type = 'lead'`],
  ['source=manual', `source = 'manual'`],
  ['type=client&source=manual', `contact_type = 'client' AND source = 'manual'`],
  ['tag=vip', `'vip' = ANY (string_to_array(tags, ','))`],
  ['tag=vip&type=client', `'vip' = ANY (string_to_array(tags, ',')) AND contact_type = 'client'`],
  ['search=hotson', `full_name LIKE '%Hotson%'`],
  ['search=hotson&type=lead', `full_name LIKE '%Hotson%' AND contact_type = 'lead'`],
];
const REMEMBERED = LISTS.filter(([query]) => /tag|search/.test(query));

let service: TestService;
let clients: pg.Client[];
let shared: string[];

beforeAll(async () => {
  // The test is of answers, and not of how long 64 writers wait for a slow machine.
  service = await TestService.start({ DATABASE_TIMEOUT_MS: '60000', DATABASE_POOL_WAIT_MS: '60000' });
  clients = await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = new pg.Client({ connectionString: service.databaseUrl });
      await client.connect();
      return client;
    }),
  );
  await service.sql(`INSERT INTO company (id, name) VALUES ('co_hot', 'Hot')`);
  await bulk('start', 4_000, 'lead');
  await bulk('begin', 4_000, 'client');
  shared = await Promise.all(Array.from({ length: 20 }, () => createContact(service.api, HOT)));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await service.stop();
});

/** Contacts of three years, inserted by one statement in random order. */
async function bulk(name: string, rows: number, type = HOT.contact_type, client?: pg.Client): Promise<void> {
  const sql = `INSERT INTO contact (id, email, company_id, first_name, last_name, contact_type, source, tags, created_at)
    SELECT 'ct_' || $1 || n, $1 || n || '@bulk.example', 'co_hot', 'Bulk', 'Hotson', $3, 'manual', 'vip',
      timestamptz '2026-01-01Z' - n * interval '2 hours'
    FROM generate_series(1, $2::int) AS n ORDER BY random()`;
  await (client ? client.query(sql, [name, rows, type]) : service.sql(sql, [name, rows, type]));
}

/** One writer's transactions: contacts come, change their type, and go, and contacts that all writers share change. */
async function writeSql(client: pg.Client, writer: number, name: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const own = `^ct_${name}${writer}x${round}x`;
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO contact (id, email, company_id, first_name, last_name, contact_type, source, tags)
       SELECT $1 || n, $2 || n || '@sql.example', 'co_hot', 'Sql', 'Hotson', 'client', 'manual', 'vip'
       FROM generate_series(1, 5) AS n`,
      [own.slice(1), `${name}${writer}x${round}x`],
    );
    await client.query('SAVEPOINT moved');
    await client.query(`UPDATE contact SET contact_type = 'investor' WHERE id ~ $1`, [own]);
    if (round % 2 === 0) await client.query('ROLLBACK TO SAVEPOINT moved');
    await client.query(round % 4 === 3 ? 'ROLLBACK' : 'COMMIT');
    await client.query('UPDATE contact SET contact_type = $1, source = $2 WHERE id = $3', [
      TYPES[(writer + round) % 3],
      round % 2 === 0 ? 'manual' : 'web',
      shared[(writer * 7 + round) % shared.length],
    ]);
    await client.query('DELETE FROM contact WHERE id ~ $1', [`${own}[12]$`]);
  }
}

/** One client's requests; answers their status codes. */
async function writeHttp(writer: number): Promise<number[]> {
  const statuses: number[] = [];
  const keep = ({ status }: { status: number }): number => statuses.push(status);
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = await createContact(service.api, { ...HOT, last_name: 'Hotson' });
    keep(await service.api.patch(`/api/contacts/${id}`, { contact_type: TYPES[round % 3], tags: null }));
    keep(
      await service.api.patch(`/api/contacts/${shared[(writer + round) % shared.length]}`, {
        contact_type: TYPES[(writer + round) % 3],
        source: round % 2 === 0 ? 'web' : 'manual',
      }),
    );
    keep(await service.api.get(`/api/contacts?limit=1&${LISTS[(writer + round) % LISTS.length]?.[0]}`));
  }
  return statuses;
}

/** Bulk loads at once with all others: as one statement, in a transaction with others, and one that comes to nothing. */
async function load([one, two, three]: readonly pg.Client[]): Promise<void> {
  await Promise.all([
    bulk('one', BULK, 'client', one),
    (async () => {
      await two?.query('BEGIN');
      await bulk('two', BULK, 'client', two);
      await two?.query(`UPDATE contact SET contact_type = 'lead' WHERE id ~ '^ct_two[0-9]*7$'`);
      await two?.query(`DELETE FROM contact WHERE id ~ '^ct_two[0-9]*3$'`);
      await two?.query('COMMIT');
    })(),
    (async () => {
      await three?.query('BEGIN');
      await bulk('none', BULK, 'client', three);
      await three?.query('ROLLBACK');
      await bulk('three', BULK, 'lead', three);
    })(),
  ]);
}

const totalOf = async (query: string): Promise<number> =>
  (await service.api.get(`/api/contacts?limit=1&${query}`)).body.data.total as number;

async function expectExactTotals(): Promise<void> {
  for (const [query, condition] of LISTS) {
    const [row] = await service.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM contact WHERE ${condition}`,
    );
    expect({ query, total: await totalOf(query) }).toEqual({ query, total: row?.count });
  }
}

test('64 writers over SQL, 64 over HTTP and three bulk loads at once neither deadlock nor lose a count', async () => {
  // Remembered from now on: whatever is written from here is added from the log.
  await expectExactTotals();
  const [before] = await service.sql<{ contacts: number }>('SELECT count(*)::int AS contacts FROM contact');

  const [statuses] = await Promise.all([
    Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeHttp(writer))),
    ...clients.map((client, writer) => writeSql(client, writer, 'w')),
    withClients(3, load),
  ]);
  expect(new Set(statuses.flat())).toEqual(new Set([200]));

  // Of each SQL writer's rounds one in four is rolled back, and of five contacts two are deleted.
  const bySql = WRITERS * ROUNDS * (3 / 4) * 3;
  const byBulk = 3 * BULK - BULK / 10;
  expect(await totalOf('')).toBe((before?.contacts ?? 0) + WRITERS * ROUNDS + bySql + byBulk);
  const read = await statementsDuring(expectExactTotals);
  expect(read.filter((text) => /contact_changes_since\(.*\) c WHERE/.test(text))).toHaveLength(
    REMEMBERED.length,
  );
  await expectSound();
});

test('counts stay whole when several processes fold and count anew while 64 write', async () => {
  const written = new AbortController();
  const keepUp = async (client: pg.Client | undefined, statements: readonly string[]): Promise<void> => {
    while (!written.signal.aborted) for (const sql of statements) await client?.query(sql);
  };
  await withClients(3, async ([one, two, three]) => {
    const writers = clients.map((client, writer) => writeSql(client, writer, 'v'));
    await Promise.all([
      Promise.all(writers).finally(() => written.abort()),
      keepUp(one, ['SELECT contact_fold_changes(100)']),
      keepUp(two, ['SELECT contact_fold_changes(1000)']),
      keepUp(three, ['SELECT contact_recount()', 'SELECT contact_fold_changes(0)']),
    ]);
  });
  await expectSound();
});

/** Totals are exact before all is folded and after, counts and documents agree with the contacts, nobody deadlocked. */
async function expectSound(): Promise<void> {
  await expectExactTotals();
  await waitUntil(async () => {
    const unfolded = 'SELECT FROM contact_changes_since((contact_last_fold()).as_of)';
    return (await service.sql(unfolded)).length === 0;
  });
  await expectExactTotals();
  expect(await service.sql('SELECT * FROM contact_count_faults()')).toEqual([]);
  expect(
    await service.sql(
      `SELECT id, contact_id FROM contact c FULL JOIN contact_search s ON s.contact_id = c.id
       WHERE (s.created_at, s.document) IS DISTINCT FROM (c.created_at, contact_document(c.full_name, c.email))`,
    ),
  ).toEqual([]);
  expect(
    await service.sql('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()'),
  ).toEqual([{ deadlocks: 0 }]);
}

async function withClients(
  count: number,
  work: (some: readonly pg.Client[]) => Promise<void>,
): Promise<void> {
  const some = Array.from({ length: count }, () => new pg.Client({ connectionString: service.databaseUrl }));
  await Promise.all(some.map((client) => client.connect()));
  try {
    await work(some);
  } finally {
    await Promise.all(some.map((client) => client.end()));
  }
}
