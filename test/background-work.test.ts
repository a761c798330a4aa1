// What the service does besides answering goes on after its connections have died without a word.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Line } from './support/line.js';
import { MailServer } from './support/mail-server.js';
import type { TestService } from './support/service.js';
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

test('changes are folded into the counts', async () => {
  await createPatiently({ email: 'joe@acme.com' });
  await waitUntil(async () => {
    const unfolded = 'SELECT FROM contact_changes_since((contact_last_fold()).as_of)';
    return (await direct.query(unfolded)).rowCount === 0;
  });
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
