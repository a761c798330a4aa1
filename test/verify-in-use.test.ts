// `cli verify` on a database in use: no false difference, no deadlock, and one sentence when the database is lost.
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact, insertRows } from './support/factories.js';
import { type Finished, runEntry, startEntry } from './support/process.js';
import { PATIENT, TestService } from './support/service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { waitUntil } from './support/wait.js';

let service: TestService;
let writer: pg.Client;
beforeAll(async () => {
  service = await TestService.start(PATIENT);
  writer = new pg.Client({ connectionString: service.databaseUrl });
  await writer.connect();
  await insertRows(
    service,
    'contact',
    // The writers below move the first, lock the second again and again, and leave the third in peace.
    Array.from({ length: 300 }, (_, index) => ({
      id: `ct_${['moved', 'busy', 'quiet'][index % 3]}${index}`,
      email: `person${index}@example.com`,
      contact_type: 'patron',
      source: 'gala',
      portal_access: 0,
      created_at: '2025-06-15T10:30:00Z',
      updated_at: '2025-06-15T10:30:00Z',
    })),
  );
});
afterAll(async () => {
  await writer.end();
  await service.stop();
});

const verify = (...options: string[]): Promise<Finished> =>
  runEntry('cli', ['verify', ...options], { DATABASE_URL: service.databaseUrl });

const RIGHT = /Nothing differs\. The counts and the search documents are those of \d+ contacts\.\n$/;

/** Changes the busy contacts one after the other, the last first: who waits for one and holds another is in for a deadlock. */
async function lockEachBackwards(round: number): Promise<void> {
  await writer.query('BEGIN');
  for (let index = 298; index > 0; index -= 3) {
    await writer.query('UPDATE contact SET tags = $1 WHERE id = $2', [`round${round}`, `ct_busy${index}`]);
  }
  await writer.query('COMMIT');
}

/** Writes over HTTP and by SQL until `work` is done; every write has to succeed. */
async function whileWriting(work: () => Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const untilDone = async (write: (round: number) => Promise<unknown>): Promise<void> => {
    for (let round = 1; !done.signal.aborted; round += 1) await write(round);
  };
  const id = await createContact(service.api, { contact_type: 'patron' });
  const types = ['patron', 'lead', 'client'];
  const writers = [
    untilDone(async (round) => {
      const changes = { contact_type: types[round % 3], first_name: `Round ${round}` };
      expect((await service.api.patch(`/api/contacts/${id}`, changes)).status).toBe(200);
    }),
    untilDone(() => createContact(service.api, { first_name: 'New' })),
    untilDone((round) =>
      service.sql(
        `UPDATE contact SET created_at = created_at + interval '1 month' * $1, last_name = $2 WHERE id LIKE 'ct\\_moved%'`,
        [round % 2 === 0 ? -1 : 1, `Round ${round}`],
      ),
    ),
    untilDone(lockEachBackwards),
    untilDone(async (round) => {
      await service.sql(
        `INSERT INTO contact (id, email) SELECT 'ct_passing' || n, 'passing' || n || '@example.org' FROM generate_series(1, $1::int) n`,
        [round % 50],
      );
      await service.sql(`DELETE FROM contact WHERE id LIKE 'ct\\_passing%'`);
    }),
  ];
  const working = work().finally(() => done.abort());
  await Promise.all([working, ...writers]);
}

test('there is never a false difference', async () => {
  await whileWriting(async () => {
    for (let round = 1; round <= 2; round += 1) {
      const finished = await Promise.all([verify(), verify()]);
      for (const one of finished)
        expect(one).toMatchObject({ code: 0, stdout: expect.stringMatching(RIGHT) });
    }
  });
});

test('two rebuilds at once mend everything, and nobody fails', async () => {
  await service.sql('UPDATE contact_count SET n = n + 1');
  await service.sql(`UPDATE contact_search SET document = 'stale'`);
  await whileWriting(async () => {
    for (const one of await Promise.all([verify('--rebuild'), verify('--rebuild')])) {
      expect(one).toMatchObject({ code: 0, stdout: expect.stringMatching(RIGHT) });
    }
  });
  expect(await verify()).toMatchObject({ code: 0 });
  expect(await service.sql(`SELECT FROM contact_search WHERE document = 'stale'`)).toEqual([]);
});

test('a database that goes away in the middle ends it with one sentence', async () => {
  const proxy = await SilentProxy.to(service.databaseUrl);
  const holder = new pg.Client({ connectionString: service.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE contact_search');
  const child = startEntry('cli', ['verify'], { DATABASE_URL: proxy.through(service.databaseUrl) });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes('Comparing the search documents')) resolve();
    });
  });
  await waitUntil(async () => {
    const waiting = `SELECT FROM pg_stat_activity WHERE application_name = 'contacts-verify' AND wait_event_type = 'Lock'
      AND datname = current_database()`;
    return (await service.sql(waiting)).length > 0;
  });
  const ended = once(child, 'close');
  proxy.close();
  expect(await ended).toEqual([1, null]);
  await holder.end();
  expect(stdout).toBe('');
  expect(stderr).toMatch(/\nverify broke off before its end: Connection terminated unexpectedly\n$/);
});
