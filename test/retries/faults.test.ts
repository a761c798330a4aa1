// The process or its connection dies in the middle of a write: the retry finds it done, or does it; never half, never twice.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createCompany } from '../support/factories.js';
import { holdCompany } from '../support/hold-company.js';
import { printed, startEntry } from '../support/process.js';
import { SilentProxy } from '../support/silent-proxy.js';
import { type Client, TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
let credentials: Record<string, string>;
beforeAll(async () => {
  service = await TestService.start();
  const { body } = await service.api.post('/api/keys', { name: 'x', scopes: ['contacts:write'] });
  credentials = { 'x-sm-key': body.data.key as string };
});
afterAll(() => service.stop());

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

const under = (key: string) => ({ headers: { 'idempotency-key': key } });

interface Write {
  key: string;
  body: { company_id: string; full_name: string };
}

const aWrite = async (full_name: string): Promise<Write> => ({
  key: randomUUID(),
  body: { company_id: await createCompany(service.api), full_name },
});

/** Tries again until it is told what became of the write. */
async function answered({ key, body }: Write, client: Client = service.as(credentials)) {
  let response = await client.post('/api/contacts', body, under(key));
  await waitUntil(async () => {
    if (![409, 503].includes(response.status)) return true;
    response = await client.post('/api/contacts', body, under(key));
    return false;
  });
  return response;
}

const idsOf = async ({ body }: Write): Promise<string[]> =>
  (await service.sql<{ id: string }>('SELECT id FROM contact WHERE full_name = $1', [body.full_name])).map(
    ({ id }) => id,
  );

/** Makes whoever adds a contact of this name wait in its COMMIT. */
async function holdCommit(full_name: string): Promise<{ release: () => Promise<void> }> {
  await service.sql(`CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$`);
  await service.sql(`CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON contact
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.full_name = '${full_name}') EXECUTE FUNCTION wait_at_commit()`);
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  await client.query('SELECT pg_advisory_lock(42)');
  undo.push(() => service.sql('DROP FUNCTION wait_at_commit CASCADE'));
  return { release: () => client.end() };
}

async function isThere(session: string): Promise<boolean> {
  const rows = await service.sql(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND ${session}`,
  );
  return rows.length > 0;
}

describe('a process killed with -9', () => {
  /** Sends the write to a process of its own, and kills it once the write waits in the database. */
  async function killedDuring({ key, body }: Write): Promise<void> {
    const settings = { DATABASE_URL: service.databaseUrl, PORT: '0', LOG_LEVEL: 'silent' };
    const child = startEntry('main', [], settings);
    undo.push(() => child.kill('SIGKILL'));
    const [, url = ''] = /running at (\S+)/.exec(await printed(child, /Try it:/)) ?? [];
    const sent = fetch(`${url}/api/contacts`, {
      method: 'POST',
      headers: { ...credentials, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    });
    const fate = sent.then(
      () => 'answered',
      () => 'lost',
    );
    await waitUntil(() => isThere(`wait_event_type = 'Lock'`));
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await fate).toBe('lost');
  }

  test('before it could commit has written nothing, and the retry does it', async () => {
    const write = await aWrite('Killed before');
    const held = await holdCompany(service, write.body.company_id, 'UPDATE');
    undo.push(held.release);
    await killedDuring(write);
    await held.release();
    const response = await answered(write);
    expect([response.status, response.headers['idempotency-replayed']]).toEqual([201, undefined]);
    expect(await idsOf(write)).toEqual([response.body.data.id]);
  });

  test('in its COMMIT has written, and the retry is told what', async () => {
    const write = await aWrite('Killed within');
    const { release } = await holdCommit(write.body.full_name);
    await killedDuring(write);
    expect(await idsOf(write)).toEqual([]);
    await release();
    const response = await answered(write);
    expect([response.status, response.headers['idempotency-replayed']]).toEqual([201, 'true']);
    expect(await idsOf(write)).toEqual([response.body.data.id]);
  });
});

describe('behind a dead switch', () => {
  async function behindProxy(): Promise<{ proxy: SilentProxy; client: Client }> {
    const proxy = await SilentProxy.to(service.databaseUrl);
    const settings = { DATABASE_URL: proxy.through(service.databaseUrl), DATABASE_TIMEOUT_MS: '10000' };
    const cutOff = await TestService.start(settings);
    undo.push(async () => {
      proxy.close();
      await cutOff.stop();
    });
    return { proxy, client: cutOff.as(credentials) };
  }

  test('a write that never hears of its insert is undone, although the database hears of nothing', async () => {
    const write = await aWrite('Cut before');
    const { proxy, client } = await behindProxy();
    const held = await holdCompany(service, write.body.company_id, 'UPDATE');
    undo.push(held.release);
    const sent = client.post('/api/contacts', write.body, under(write.key));
    await held.untilWaiting(1);
    proxy.fallSilent();
    await held.release();
    await waitUntil(() => isThere(`state = 'idle in transaction'`));
    const early = await service.as(credentials).post('/api/contacts', write.body, under(write.key));
    expect(early.body.error?.code).toBe('in_progress');
    expect((await sent).status).toBe(503);
    const response = await answered(write);
    expect([response.status, response.headers['idempotency-replayed']]).toEqual([201, undefined]);
    expect(await idsOf(write)).toEqual([response.body.data.id]);
  });

  test('a write that never hears of its COMMIT is a 503, and the retry is told what was written', async () => {
    const write = await aWrite('Cut within');
    const { proxy, client } = await behindProxy();
    proxy.loseAnswersTo('COMMIT');
    expect((await client.post('/api/contacts', write.body, under(write.key))).status).toBe(503);
    const response = await answered(write);
    expect([response.status, response.headers['idempotency-replayed']]).toEqual([201, 'true']);
    expect(await idsOf(write)).toEqual([response.body.data.id]);
  });
});

test('connections that die at whatever moment lose no write and double none', async () => {
  const writes = await Promise.all(Array.from({ length: 40 }, (_, index) => aWrite(`Storm ${index}`)));
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  undo.push(() => client.end());
  const strike = () =>
    client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'contacts' AND random() < 0.5`,
    );
  const attempts = Promise.all(writes.map((write) => answered(write)));
  for (let strikes = 0; strikes < 50; strikes += 1) {
    await strike();
    await sleep(10);
  }
  for (const [index, { status, body }] of (await attempts).entries()) {
    expect({ status, body }).toMatchObject({ status: 201 });
    // Asked on a connection that was not struck.
    const { rows } = await client.query('SELECT id FROM contact WHERE full_name = $1', [
      writes[index]?.body.full_name,
    ]);
    expect(rows).toEqual([{ id: body.data.id }]);
  }
});
