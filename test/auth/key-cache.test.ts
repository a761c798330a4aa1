// What processes remember of keys: enough to spare the database, never a key that has ended.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TableHolder } from '../support/hold-table.js';
import { printed, startEntry } from '../support/process.js';
import { TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { waitUntil } from '../support/wait.js';
import { SilentProxy } from '../support/silent-proxy.js';

let service: TestService;
let proxy: SilentProxy;
let process2: ChildProcess;
/** Base URL of a second process of the service, whose LISTEN connection goes through the proxy. */
let elsewhere: string;

beforeAll(async () => {
  service = await TestService.start();
  proxy = await SilentProxy.to(service.databaseUrl);
  process2 = startEntry('main', [], {
    DATABASE_URL: service.databaseUrl,
    DATABASE_DIRECT_URL: proxy.through(service.databaseUrl),
    PORT: '0',
    LOG_LEVEL: 'silent',
  });
  elsewhere = /http:\S+/.exec(await printed(process2, /running at http:\S+\n/))?.[0] ?? '';
});
afterAll(async () => {
  const ended = once(process2, 'close');
  process2.kill('SIGKILL');
  await ended;
  proxy.close();
  await service.stop();
});

async function issue(): Promise<{ id: string; key: string }> {
  const response = await service.api.post('/api/keys', { name: 'backend', scopes: ['contacts:read'] });
  return response.body.data as { id: string; key: string };
}

const statusElsewhere = async (key: string): Promise<number> =>
  (await fetch(`${elsewhere}/api/contacts`, { headers: { 'x-sm-key': key } })).status;

/** Resolves when both processes are sure to hear of changes, and so use what they remember. */
async function bothListen(): Promise<void> {
  const listening = `SELECT pid FROM pg_stat_activity
    WHERE application_name = 'contacts-listen' AND datname = current_database() AND query LIKE 'SELECT current_setting%'`;
  while ((await service.sql(listening)).length < 2) await new Promise(setImmediate);
}

// On a busy machine a process may for a moment not be sure to hear of changes, and then asks: so more than one attempt.
test('a key that was verified once costs no query', async () => {
  const { key } = await issue();
  const client = service.as({ 'x-sm-key': key });
  await waitUntil(async () => {
    expect((await client.get('/api/contacts')).status).toBe(200);
    const statements = await statementsDuring(async () => {
      for (let request = 0; request < 20; request += 1) await client.get('/api/contacts');
    });
    expect(statements.filter((sql) => sql.includes('row_to_json'))).toHaveLength(20);
    return !statements.some((sql) => sql.includes('api_key'));
  });
});

test('a key that many send at once is asked for once', async () => {
  const holder = await TableHolder.of(service);
  await waitUntil(async () => {
    const { key } = await issue();
    const client = service.as({ 'x-sm-key': key });
    const statements = await statementsDuring(async () => {
      // The first has no answer before the others ask.
      await holder.hold('api_key');
      const answers = Array.from({ length: 20 }, () => client.get('/api/contacts'));
      await sleep(300);
      await holder.release();
      await Promise.all(answers);
    });
    return statements.filter((sql) => sql.includes('FROM api_key')).length === 1;
  });
  await holder.end();
});

test('another process remembers a key, too', async () => {
  await waitUntil(async () => {
    const { id, key } = await issue();
    expect(await statusElsewhere(key)).toBe(200);
    // Behind everybody's back, so that only a process that asks the database could know.
    await service.sql('ALTER TABLE api_key DISABLE TRIGGER api_key_changed');
    await service.sql('UPDATE api_key SET revoked_at = now() WHERE id = $1', [id]);
    await service.sql('ALTER TABLE api_key ENABLE TRIGGER api_key_changed');
    return (await statusElsewhere(key)) === 200;
  });
});

describe('another process refuses a key within a second of its end,', () => {
  const revoke = (id: string) => service.api.delete(`/api/keys/${id}`);
  const endings: [string, (id: string) => Promise<unknown>][] = [
    ['when it is revoked', revoke],
    [
      'when it is rotated without overlap',
      (id) => service.api.post(`/api/keys/${id}/rotate`, { overlap_seconds: 0 }),
    ],
    ['when its row is deleted', (id) => service.sql('DELETE FROM api_key WHERE id = $1', [id])],
    [
      'when an operator ends it in SQL',
      (id) => service.sql(`UPDATE api_key SET expires_at = now() - interval '1 s' WHERE id = $1`, [id]),
    ],
    [
      'though the connection it would be told on was cut',
      async (id) => {
        const cut = await service.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'contacts-listen' AND datname = current_database()`);
        expect(cut.length).toBeGreaterThanOrEqual(2);
        await revoke(id);
      },
    ],
    [
      'though that connection has fallen silent',
      async (id) => {
        proxy.fallSilent();
        await revoke(id);
      },
    ],
  ];
  test.each(endings)('%s', async (_case, end) => {
    await bothListen();
    const { id, key } = await issue();
    expect(await statusElsewhere(key)).toBe(200);
    await end(id);
    const ended = performance.now();
    let lastGood = ended;
    for (;;) {
      const sent = performance.now();
      if ((await statusElsewhere(key)) === 401) break;
      lastGood = sent;
      expect(lastGood - ended).toBeLessThan(1_000);
    }
    expect(await statusElsewhere(key)).toBe(401);
  });

  test('and goes on serving good keys meanwhile', async () => {
    const { key } = await issue();
    expect(await statusElsewhere(key)).toBe(200);
  });
});
