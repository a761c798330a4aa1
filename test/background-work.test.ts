// What the service does besides answering goes on after its connections have died without a word.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createTestDatabase } from './support/database.js';
import type { Line } from './support/line.js';
import { MailServer } from './support/mail-server.js';
import { RunningService } from './support/running-service.js';
import type { TestService } from './support/service.js';
import { Session } from './support/session.js';
import { TroubledService } from './support/troubled-service.js';
import { waitUntil } from './support/wait.js';

let troubled: TroubledService;
let direct: pg.Client;
let line: Line;
let mail: MailServer;
let service: TestService;
beforeAll(async () => {
  mail = await MailServer.start();
  troubled = await TroubledService.start({ DATABASE_TIMEOUT_MS: '2000', SMTP_URL: mail.url });
  ({ direct, line, service } = troubled);
});
beforeEach(async () => {
  const isFolded = 'SELECT FROM contact_fold';
  await waitUntil(async () => (await direct.query(isFolded)).rowCount !== 0);
  line.silence();
  line.restore();
});
afterAll(async () => {
  await troubled.stop();
  await mail.stop();
});

/** The first requests meet connections that are silent, too. */
const createPatiently = (contact: object): Promise<void> =>
  waitUntil(async () => [201, 409].includes((await service.api.post('/api/contacts', contact)).status));

const isAllFolded = (): Promise<void> =>
  waitUntil(async () => {
    const unfolded = 'SELECT FROM contact_changes_since((contact_last_fold()).as_of)';
    return (await direct.query(unfolded)).rowCount === 0;
  });

test('changes are folded into the counts', async () => {
  await createPatiently({ email: 'joe@acme.com' });
  await isAllFolded();
});

test('the answer to a fold that is lost on its way does not end folding', async () => {
  let isUnderWay = false;
  line.beforeNext('contact_fold_changes', async () => {
    line.silence();
    isUnderWay = true;
  });
  await waitUntil(async () => isUnderWay);
  line.restore();
  await createPatiently({ email: 'jim@acme.com' });
  await isAllFolded();
});

test('a fold may take longer than anybody waits for an answer', async () => {
  const pids = async (wait: string): Promise<number[]> => {
    const { rows } = await direct.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'contacts-counts' AND ${wait}`,
    );
    return rows.map(({ pid }) => pid);
  };
  const blocker = await Session.open(troubled.database.url);
  await blocker.client.query('BEGIN; LOCK TABLE contact_fold IN ACCESS EXCLUSIVE MODE');
  let folding: number[] = [];
  await waitUntil(async () => (folding = await pids(`wait_event_type = 'Lock'`)).length > 0);
  // Four times the service's patience.
  await sleep(8_000);
  await blocker.client.end();
  await createPatiently({ email: 'ann@acme.com' });
  await isAllFolded();
  expect(await pids('true')).toEqual(expect.arrayContaining(folding));
});

test('a fold that lasts holds up no end of the process', async () => {
  const database = await createTestDatabase();
  const process = await RunningService.start({ DATABASE_URL: database.url, DRAIN_TIMEOUT_MS: '60000' });
  const blocker = await Session.open(database.url);
  try {
    await blocker.client.query('BEGIN; LOCK TABLE contact_fold IN ACCESS EXCLUSIVE MODE');
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await waitUntil(async () => (await blocker.client.query(waiting)).rowCount !== 0);
    process.signal('SIGTERM');
    expect(await process.ended).toBe(0);
  } finally {
    await blocker.client.end();
    await process.kill();
    await database.drop();
  }
});

test('mail is sent', async () => {
  const email = 'jane@acme.com';
  await createPatiently({ email, portal_access: 1 });
  expect((await service.as({}).post('/auth/magic-link', { email })).status).toBe(202);
  await waitUntil(async () => mail.mailsTo(email).length === 1);
});

test('changes of keys are listened for', async () => {
  const listening = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'contacts-listen'`;
  const pids = async (): Promise<number[]> =>
    (await direct.query<{ pid: number }>(listening)).rows.map(({ pid }) => pid);
  const before = await pids();
  await waitUntil(async () => (await pids()).some((pid) => !before.includes(pid)));
});
