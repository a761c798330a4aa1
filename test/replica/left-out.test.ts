// When a replica is not read from, and that it is again as soon as it can be.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createContact, readContact } from '../support/factories.js';
import { ReplicaServices } from '../support/replica-services.js';
import type { TestService } from '../support/service.js';
import { Session } from '../support/session.js';
import { SilentProxy } from '../support/silent-proxy.js';
import { waitUntil } from '../support/wait.js';

let replica: ReplicaServices;
beforeAll(async () => {
  replica = await ReplicaServices.start();
});
beforeEach(() => replica.ready());
afterEach(() => replica.stopServices());
afterAll(() => replica.stop());

describe('the replica is left out, and taken back by itself,', () => {
  /** Reads without a pause, until told to stop, and answers the statuses there were. */
  function keepReading(service: TestService, id: string): () => Promise<number[]> {
    const stopped = new AbortController();
    const statuses = new Set<number>();
    const read = async (): Promise<void> => {
      while (!stopped.signal.aborted) statuses.add((await service.api.get(`/api/contacts/${id}`)).status);
    };
    const readers = [read(), read(), read(), read()];
    return async () => {
      stopped.abort();
      await Promise.all(readers);
      return [...statuses];
    };
  }

  /** Begins a read that takes a minute on the replica, and resolves with its answer to be: the server it came from. */
  async function beginLongRead(service: TestService): Promise<{ answer: Promise<string> }> {
    const ask = () =>
      replica.read(service, async ({ planned }) => {
        const [row] = await planned.query<{ server: string }[]>(
          `SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' || pg_sleep(60) ELSE 'primary' END AS server
           FROM (SELECT count(*) FROM contact) AS contacts`,
        );
        return row?.server ?? '';
      });
    const sleeping = `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
    let isAnswered = true;
    let answer = Promise.resolve('');
    await waitUntil(async () => {
      // Once more where a busy machine had left out the replica for a moment.
      if (isAnswered) answer = ask().finally(() => (isAnswered = true));
      isAnswered = false;
      return (await replica.servers.standby.sql(sleeping)).length > 0;
    });
    return { answer };
  }

  test('while it is too far behind', async () => {
    const service = await replica.service();
    await replica.pause();
    await createContact(service.api);
    await waitUntil(async () => !(await replica.isRead(service)));
    await replica.resume();
    await waitUntil(() => replica.isRead(service));
  });

  test('but not for a log that is flushed to the middle of a record', async () => {
    const service = await replica.service({ DATABASE_REPLICA_MAX_LAG_MS: '2000' });
    const { primary, standby } = replica.servers;
    const writer = await Session.open(primary.url());
    await writer.begin();
    let isRead = false;
    // A busy machine may be late once. But not waited for: sooner or later anybody flushes the rest, too.
    for (let time = 1; time <= 3 && !isRead; time += 1) {
      // What is written without a commit is flushed by whole pages.
      await waitUntil(async () => {
        const notes = randomBytes(3_000).toString('hex');
        await writer.client.query(
          `INSERT INTO company (id, name, notes) VALUES ('co_' || left($1, 8), 'Long', $1)`,
          [notes],
        );
        await delay(300);
        const [flushed] = await primary.sql<{ lsn: string }>(
          'SELECT pg_current_wal_flush_lsn()::text AS lsn',
        );
        const behind = 'SELECT 1 WHERE pg_last_wal_replay_lsn() < $1::pg_lsn';
        return (await standby.sql(behind, [flushed?.lsn])).length > 0;
      });
      isRead = await replica.isRead(service);
    }
    expect(isRead).toBe(true);
    await writer.end('ROLLBACK');
    await writer.client.end();
  });

  test('while it does not run, however hard it was ended', async () => {
    const service = await replica.service({ DATABASE_TIMEOUT_MS: '120000' });
    const stop = keepReading(service, await createContact(service.api));
    const { answer } = await beginLongRead(service);
    await replica.servers.standby.kill();
    expect(await answer).toBe('primary');
    await waitUntil(async () => !(await replica.isRead(service)));
    await replica.servers.standby.start();
    await waitUntil(() => replica.isRead(service));
    expect(await stop()).toEqual([200]);
  });

  test('while it does not run when the service starts', async () => {
    await replica.servers.standby.stop();
    const service = await replica.service({}, { isUsed: false });
    const id = await createContact(service.api);
    expect(await readContact(service.api, id)).toMatchObject({ id });
    await replica.servers.standby.start();
    await waitUntil(() => replica.isRead(service));
  });

  test('while it says nothing: what waits for its answer has it from the primary', async () => {
    const proxy = await SilentProxy.to(replica.servers.standby.url());
    const url = proxy.through(replica.servers.standby.url());
    const service = await replica.service({ DATABASE_REPLICA_URL: url, DATABASE_TIMEOUT_MS: '120000' });
    const stop = keepReading(service, await createContact(service.api));
    const { answer } = await beginLongRead(service);
    proxy.fallSilent();
    expect(await answer).toBe('primary');
    await waitUntil(async () => !(await replica.isRead(service)));
    expect(await stop()).toEqual([200]);
    proxy.close();
  });

  test('while it says nothing: a count that others wait for is begun anew by the primary', async () => {
    const { primary, standby } = replica.servers;
    const proxy = await SilentProxy.to(standby.url());
    const url = proxy.through(standby.url());
    const service = await replica.service({
      DATABASE_REPLICA_URL: url,
      DATABASE_REPLICA_MAX_LAG_MS: '5000',
      DATABASE_TIMEOUT_MS: '120000',
    });
    const id = await createContact(service.api, { tags: 'rare' });
    await waitUntil(() => replica.isRead(service));
    const blocker = await Session.open(primary.url());
    await blocker.client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
    const list = () => service.api.get('/api/contacts?tag=rare');
    // The lock reaches the replica with whatever is flushed next.
    await primary.sql('SELECT pg_switch_wal()');
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%contact%'`;
    const first = list();
    await waitUntil(async () => (await standby.sql(waiting)).length > 0);
    const answers = [first, list(), list()];
    proxy.fallSilent();
    await blocker.client.query('ROLLBACK');
    for (const { status, body } of await Promise.all(answers))
      expect([status, body.data.items.map((item: { id: string }) => item.id)]).toEqual([200, [id]]);
    await blocker.client.end();
    proxy.close();
  });

  test('never because of one read that it had to end: the primary answers that', async () => {
    const service = await replica.service({ DATABASE_TIMEOUT_MS: '120000' });
    // However what is replayed has come.
    for (const how of ['streaming', 'archive']) await replica.set(`max_standby_${how}_delay`, '0');
    const { answer } = await beginLongRead(service);
    await replica.servers.primary.sql('BEGIN; LOCK TABLE contact; COMMIT');
    await createContact(service.api);
    expect(await answer).toBe('primary');
    await waitUntil(() => replica.isRead(service));
  });
});
