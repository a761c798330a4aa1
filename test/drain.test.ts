// How the service ends, as a process: nothing under way is lost, and nothing holds the end up for ever.
import { once } from 'node:events';
import { Agent, type IncomingMessage, get } from 'node:http';
import { type Socket, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase } from './support/database.js';
import { createCompany } from './support/factories.js';
import { type HeldCompany, holdCompany } from './support/hold-company.js';
import { MailServer } from './support/mail-server.js';
import { RunningService } from './support/running-service.js';
import { TestService } from './support/service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { waitUntil } from './support/wait.js';

/** Of the same database: makes the key, and watches. */
let beside: TestService;
let headers: Record<string, string>;
let company: string;
beforeAll(async () => {
  beside = await TestService.start();
  company = await createCompany(beside.api);
  const scopes = ['contacts:read', 'companies:read', 'companies:write'];
  const { body } = await beside.api.post('/api/keys', { name: 'drain', scopes });
  headers = { 'x-sm-key': body.data.key, 'content-type': 'application/json' };
});
afterAll(() => beside.stop());

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

async function start(settings: Record<string, string> = {}): Promise<RunningService> {
  const service = await RunningService.start({
    DATABASE_URL: beside.databaseUrl,
    DATABASE_TIMEOUT_MS: '60000',
    DRAIN_TIMEOUT_MS: '60000',
    ...settings,
  });
  undo.push(() => service.kill());
  return service;
}

/** A request that waits for a row until `lock` lets go of it. */
async function slowRequest(service: RunningService) {
  const lock = await holdCompany(beside, company);
  undo.push(lock.release);
  const answer = fetch(`${service.url}/api/companies/${company}`, {
    method: 'PATCH',
    headers,
    body: JSON.stringify({ notes: 'in flight' }),
  }).then(
    async (response) => ({ status: response.status, headers: response.headers, body: await response.json() }),
    () => 'cut' as const,
  );
  await lock.untilWaiting(1);
  return { answer, lock };
}

describe('on SIGTERM', () => {
  test('first it is not ready and still serves, then the door closes and what is in flight is finished', async () => {
    const service = await start({ DRAIN_DELAY_MS: '10000' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    undo.push(() => agent.destroy());
    expect(await ask(agent, service.url)).toMatchObject({ isReused: false, connection: 'keep-alive' });
    const { answer, lock } = await slowRequest(service);

    service.signal('SIGTERM');
    await waitUntil(async () => (await service.statusOf('/health/ready', headers)) === 503);
    expect(await service.statusOf('/health/live', headers)).toBe(200);
    expect(await service.statusOf('/api/contacts', headers)).toBe(200);
    // Who keeps a connection learns that this is its last answer.
    expect(await ask(agent, service.url)).toEqual({ isReused: true, status: 200, connection: 'close' });

    await service.closesDoor();
    await lock.release();
    expect(await answer).toMatchObject({ status: 200, body: { data: { id: company, updated: true } } });
    expect(await service.ended).toBe(0);
    expect(service.output).not.toContain('/health/');
  });

  test('without a delay the door closes at once', async () => {
    const service = await start();
    const { answer, lock } = await slowRequest(service);
    service.signal('SIGINT');
    await service.closesDoor();
    await lock.release();
    const finished = await answer;
    expect(finished).toMatchObject({ status: 200 });
    expect(finished !== 'cut' && finished.headers.get('connection')).toBe('close');
    expect(await service.ended).toBe(0);
  });

  test('a request on a connection from before is answered, even after the door has closed', async () => {
    const service = await start();
    const { lock } = await slowRequest(service);
    const socket = await connectTo(service);
    service.signal();
    await service.closesDoor();
    socket.write('GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
    await lock.release();
    expect(await service.ended).toBe(0);
  });

  test.each([
    ['nothing at all', ''],
    ['half a request', 'GET /api/contacts HTTP/1.1\r\nHost: a\r\n'],
  ])('a connection on which came %s holds nothing up', async (_what, text) => {
    const service = await start();
    const socket = await connectTo(service);
    socket.write(text);
    service.signal();
    expect(await service.ended).toBe(0);
  });

  test('a second one ends it at once, whatever is in flight', async () => {
    const service = await start();
    const { answer } = await slowRequest(service);
    service.signal();
    await service.closesDoor();
    service.signal();
    expect(await service.ended).toBe(1);
    expect(await answer).toBe('cut');
  });

  test('what is not finished in time is given up, in one line that names it', async () => {
    const service = await start({ DRAIN_TIMEOUT_MS: '1000' });
    const { answer } = await slowRequest(service);
    service.signal();
    expect(await service.ended).toBe(1);
    expect(await answer).toBe('cut');
    const given = service.messages.filter((message) => message.startsWith('Not drained'));
    expect(given).toEqual([
      expect.stringMatching(
        /^Not drained within 1000 ms; still there: PATCH \/api\/companies\/:id \([\w-]+\) for \d+ ms$/,
      ),
    ]);
  });

  test('a mail that is being handed over is finished', async () => {
    // Nobody else takes its jobs.
    const database = await createTestDatabase();
    const mail = await MailServer.start();
    undo.push(() => mail.stop());
    await runSql(
      database.url,
      `INSERT INTO contact (id, email, portal_access, portal_role)
       VALUES ('ct_mail0001', 'jane@acme.test', 1, 'client_viewer')`,
    );
    const service = await start({ DATABASE_URL: database.url, SMTP_URL: mail.url });
    undo.push(() => database.drop());
    mail.hold();
    const asked = await fetch(`${service.url}/auth/magic-link`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'jane@acme.test' }),
    });
    expect(asked.status).toBe(202);
    await waitUntil(async () => mail.connections === 1);
    service.signal();
    await service.closesDoor();
    mail.release();
    expect(await service.ended).toBe(0);
    expect(mail.mailsTo('jane@acme.test')).toHaveLength(1);
    const jobs = await runSql(database.url, `SELECT state::text FROM pgboss.job WHERE data ? 'id'`);
    expect(jobs).toEqual([{ state: 'completed' }]);
  });

  test('before it listens it just ends', async () => {
    const service = RunningService.begin({
      DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/contacts',
      DATABASE_START_TIMEOUT_MS: '60000',
    });
    undo.push(() => service.kill());
    await waitUntil(async () => service.output.includes('Trying again'));
    service.signal();
    expect(await service.ended).toBe(0);
  });
});

describe('while it drains', () => {
  let proxy: SilentProxy;
  let service: RunningService;
  let slow: { answer: Promise<unknown>; lock: HeldCompany };
  const startBehindProxy = async (settings: Record<string, string>): Promise<void> => {
    proxy = await SilentProxy.to(beside.databaseUrl);
    undo.push(() => proxy.close());
    service = await start({ DATABASE_URL: proxy.through(beside.databaseUrl), ...settings });
    slow = await slowRequest(service);
    service.signal();
    await service.closesDoor();
  };

  test('a database that dies fails what is in flight, and no more', async () => {
    await startBehindProxy({});
    proxy.close();
    expect(await slow.answer).toMatchObject({ status: 503 });
    expect(await service.ended).toBe(0);
  });

  test('a database that falls silent fails what is in flight, and holds the end up no longer than allowed', async () => {
    await startBehindProxy({ DATABASE_TIMEOUT_MS: '5000', DRAIN_TIMEOUT_MS: '25000' });
    proxy.fallSilent();
    expect(await slow.answer).toMatchObject({ status: 503 });
    // Connections that wait for an answer are given up in time, those that say goodbye to nobody are not.
    const code = await service.ended;
    const left = service.messages.filter((message) => message.startsWith('Not drained within 25000 ms'));
    expect({ code, left: left.length }).toEqual(code === 0 ? { code, left: 0 } : { code: 1, left: 1 });
  });
});

/** A connection that the service has accepted. */
async function connectTo(service: RunningService): Promise<Socket> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  undo.push(() => socket.destroy());
  await once(socket, 'connect');
  // As this one was, which came later.
  expect(await service.statusOf('/health/live', headers)).toBe(200);
  return socket;
}

async function runSql(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<object>(sql);
  await client.end();
  return rows;
}

/** Asks on the agent's connection; a header of the answer tells whether that stays open. */
async function ask(agent: Agent, url: string) {
  const sent = get(`${url}/health/live`, { agent });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  const { statusCode: status, headers: answered } = response;
  return { isReused: sent.reusedSocket, status, connection: answered.connection };
}
