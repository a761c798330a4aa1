// Reads that share two connections: what happens to the others when one is slow, ended, cut or outdated.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { poolOf } from '../src/common/impatient-pool.js';
import { PreparedPool } from '../src/common/prepared-pool.js';
import { Reads } from '../src/common/reads.js';
import { createContact } from './support/factories.js';
import { PATIENT, TestService } from './support/service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { waitUntil } from './support/wait.js';

let service: TestService;
/** A session that is none of the service's. */
let direct: pg.Client;
let path: string;
beforeAll(async () => {
  service = await TestService.start(PATIENT);
  direct = new pg.Client({ connectionString: service.databaseUrl });
  await direct.connect();
  path = `/api/contacts/${await createContact(service.api)}`;
});
afterAll(async () => {
  await direct.end();
  await service.stop();
});

const reads = (): Reads => service.app.get(Reads);

async function lanes(): Promise<number[]> {
  const { rows } = await direct.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'contacts-reads' ORDER BY pid`,
  );
  return rows.map(({ pid }) => pid);
}

/** Reads until both connections are there, since each is opened by a read that finds it missing; answers their sessions. */
async function openLanes(): Promise<number[]> {
  const own = (reads() as unknown as { lanes: { client?: { processID: number } }[] }).lanes;
  let pids: number[] = [];
  await waitUntil(async () => {
    await service.api.get(path);
    pids = own.map(({ client }) => client?.processID ?? 0).toSorted((a, b) => a - b);
    // Those that were left may be there for a moment.
    return String(await lanes()) === String(pids);
  });
  return pids;
}

const statuses = async (count: number): Promise<Set<number>> => {
  const answers = await Promise.all(Array.from({ length: count }, () => service.api.get(path)));
  return new Set(answers.map(({ status }) => status));
};

test('any number of requests read by two connections, each answered with its own contact', async () => {
  await openLanes();
  const paths = await Promise.all(
    Array.from({ length: 50 }, async () => `/api/contacts/${await createContact(service.api)}`),
  );
  const answers = await Promise.all(paths.map((one) => service.api.get(one)));
  expect(answers.map(({ body }) => `/api/contacts/${body.data.id}`)).toEqual(paths);
  expect(await lanes()).toHaveLength(2);
});

test('whoever has to know that the server may have crashed hears it from these connections, too', async () => {
  await openLanes();
  let losses = 0;
  poolOf(service.app.get(DataSource)).onLoss(() => (losses += 1));
  // One that was left, and not lost, is none.
  reads().leave();
  const [pid] = await openLanes();
  expect(losses).toBe(0);
  await direct.query('SELECT pg_terminate_backend($1)', [pid]);
  await waitUntil(() => Promise.resolve(losses === 1));
});

test('and from whoever asks for new connections, however soon again', async () => {
  let losses = 0;
  const pool = poolOf(service.app.get(DataSource));
  pool.onLoss(() => (losses += 1));
  pool.renew();
  const before = losses;
  // Too soon for new ones, but not for the news.
  pool.renew();
  expect(losses).toBe(before + 1);
});

test('ending the connections under concurrent reads fails none of them', async () => {
  for (let round = 1; round <= 5; round += 1) {
    const before = await openLanes();
    const answers = statuses(40);
    for (const pid of before) await direct.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
    expect(await answers).toEqual(new Set([200]));
    expect((await openLanes()).filter((pid) => before.includes(pid))).toEqual([]);
  }
});

test('a read goes past one that takes long', async () => {
  await openLanes();
  await direct.query('SELECT pg_advisory_lock(1)');
  let isAnswered = false;
  const slow = reads()
    .query('SELECT pg_advisory_xact_lock_shared(1)')
    .then(() => (isAnswered = true));
  expect(await statuses(1)).toEqual(new Set([200]));
  expect(isAnswered).toBe(false);
  await direct.query('SELECT pg_advisory_unlock(1)');
  await slow;
});

test('what a schema change has outdated is read again', async () => {
  await openLanes();
  await direct.query('CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)');
  const select = (): Promise<unknown> => reads().query('SELECT * FROM changing');
  for (let time = 1; time <= 4; time += 1) expect(await select()).toEqual([{ a: 1 }]);
  await direct.query('ALTER TABLE changing ADD COLUMN b text');
  const answers = await Promise.all(Array.from({ length: 6 }, select));
  expect(answers).toEqual(answers.map(() => [{ a: 1, b: null }]));
  await openLanes();
  expect(await select()).toEqual([{ a: 1, b: null }]);
});

test('what PostgreSQL refuses is refused, and the connection goes on', async () => {
  const before = await openLanes();
  const refused = reads().query('SELECT 1 / $1::int AS a', [0]);
  const behind = reads().query('SELECT 1 / $1::int AS a', [1]);
  await expect(refused).rejects.toMatchObject({ code: '22012' });
  expect(await behind).toEqual([{ a: 1 }]);
  expect(await lanes()).toEqual(before);
});

test('a connection keeps a limited number of statements prepared', async () => {
  const prepared = 'SELECT count(*)::int AS count FROM pg_prepared_statements';
  for (let column = 0; column < 600; column += 1) await reads().query(`SELECT ${column} AS c${column}`);
  await openLanes();
  const [row] = await reads().query<{ count: number }[]>(prepared);
  expect(row?.count).toBeLessThanOrEqual(250);
});

test('different statements of one moment are each answered, also while those before are forgotten', async () => {
  await openLanes();
  for (let first = 0; first < 600; first += 20) {
    const columns = Array.from({ length: 20 }, (_, index) => first + index);
    const answers = await Promise.all(
      columns.map((column) => reads().query(`SELECT ${column} AS e${column}`)),
    );
    expect(answers).toEqual(columns.map((column) => [{ [`e${column}`]: column }]));
  }
});

test('what has a connection to itself is prepared as well, as long as there are not too many', async () => {
  const pool = service.app.get(PreparedPool);
  // Beside those of transactions, which have names and a limit of their own.
  const prepared = `SELECT count(*)::int AS count FROM pg_prepared_statements WHERE name LIKE 'single%'`;
  expect(await pool.query(prepared)).not.toEqual([{ count: 0 }]);
  for (let column = 0; column < 600; column += 1) await pool.query(`SELECT ${column} AS d${column}`);
  const [row] = await pool.query<{ count: number }[]>(prepared);
  expect(row?.count).toBeLessThanOrEqual(250);
});

describe('a database that stops answering', () => {
  test('is a 503 for each read, which waits no longer for its second connection', async () => {
    await openLanes();
    const proxy = await SilentProxy.to(service.databaseUrl);
    const behind = await TestService.start({
      DATABASE_URL: proxy.through(service.databaseUrl),
      DATABASE_TIMEOUT_MS: '2000',
    });
    const own = `/api/contacts/${await createContact(behind.api)}`;
    expect((await behind.api.get(own)).status).toBe(200);
    proxy.fallSilent();
    const answers = await Promise.all(Array.from({ length: 20 }, () => behind.api.get(own)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    proxy.close();
    await behind.stop();
  });

  test('because of a lock is a 503, and reads go on after it', async () => {
    const locked = await TestService.start({ DATABASE_TIMEOUT_MS: '2000' });
    const holder = new pg.Client({ connectionString: locked.databaseUrl });
    await holder.connect();
    const own = `/api/contacts/${await createContact(locked.api)}`;
    for (let time = 1; time <= 3; time += 1) expect((await locked.api.get(own)).status).toBe(200);
    await holder.query('BEGIN; LOCK TABLE contact');
    const answers = await Promise.all(Array.from({ length: 6 }, () => locked.api.get(own)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    await holder.query('COMMIT');
    await waitUntil(async () => (await locked.api.get(own)).status === 200);
    await holder.end();
    await locked.stop();
  });
});

test('behind a transaction pooler the pool reads', async () => {
  const pooled = await TestService.start({ DATABASE_DIRECT_URL: service.databaseUrl });
  const own = `/api/contacts/${await createContact(pooled.api)}`;
  for (let time = 1; time <= 3; time += 1) expect((await pooled.api.get(own)).status).toBe(200);
  expect(
    await pooled.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'contacts-reads'`,
    ),
  ).toEqual([]);
  await pooled.stop();
});

test('a stopped service leaves no connection behind', async () => {
  const stopping = await TestService.start();
  const own = `/api/contacts/${await createContact(stopping.api)}`;
  const name = new URL(stopping.databaseUrl).pathname.slice(1);
  const left = async (): Promise<number> =>
    (await direct.query(`SELECT FROM pg_stat_activity WHERE datname = $1`, [name])).rowCount ?? 0;
  await waitUntil(async () => {
    await stopping.api.get(own);
    return (
      (
        await direct.query(
          `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'contacts-reads'`,
          [name],
        )
      ).rowCount === 2
    );
  });
  await stopping.app.close();
  await waitUntil(async () => (await left()) === 0);
  await stopping.stop();
});
