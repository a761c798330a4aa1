// The log as an operator reads it: one line per request, and never a credential or what was searched for.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { printed, startEntry } from '../support/process.js';
import { open, sendRaw } from '../support/raw-request.js';
import { TestService } from '../support/service.js';
import { TokenMaker } from '../support/tokens.js';

interface Line {
  level?: number;
  msg?: string;
  reqId?: string;
  method?: string;
  route?: string;
  status?: number;
  ms?: number;
  caller?: string;
}

const POST =
  'POST /auth/magic-link HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n';

let keys: TestService;
let logging: ChildProcess;
let url: string;
let output = '';

beforeAll(async () => {
  keys = await TestService.start();
  logging = startEntry('main', [], {
    DATABASE_URL: keys.databaseUrl,
    PORT: '0',
    LOG_LEVEL: 'trace',
    // On a busy machine it would warn that the database is slow to count.
    RATE_LIMIT_KEY: '0',
    RATE_LIMIT_WRONG_KEYS: '0',
  });
  logging.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  logging.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  url = /http:\S+/.exec(await printed(logging, /running at http:\S+\n/))?.[0] ?? '';
});
afterAll(async () => {
  logging.kill('SIGKILL');
  await keys.stop();
});

/** In the middle of a body. */
async function hangUp(): Promise<void> {
  const socket = open(url);
  await new Promise((resolve) => socket.write(`${POST}{"email":"private`, resolve));
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}

test('has one line per request, and no secret in any', async () => {
  const issued = (await keys.api.post('/api/keys', { name: 'x', scopes: ['contacts:read', 'keys:manage'] }))
    .body.data;
  const key = { 'x-sm-key': issued.key as string };
  const bearer = { authorization: `Bearer ${await (await TokenMaker.trustedBy(keys)).sign('ct_a1b2c3d4')}` };
  const garbled = { 'x-sm-key': `${issued.key}garbled` };
  const asked: [string, RequestInit & { headers: Record<string, string> }, Partial<Line>][] = [
    ['/api/contacts?search=private-person&email=p@private.test', { headers: key }, { route: '/api/contacts', status: 200, caller: issued.id }],
    ['/api/contacts/ct_private0', { headers: key }, { route: '/api/contacts/:id', status: 404, caller: issued.id }],
    ['/api/contacts?page=private', { headers: key }, { route: '/api/contacts', status: 400, caller: issued.id }],
    ['/api/companies', { headers: key }, { route: '/api/companies', status: 403, caller: issued.id }],
    ['/api/contacts', { headers: garbled }, { route: '/api/contacts', status: 401 }],
    ['/api/contacts', { headers: bearer }, { route: '/api/contacts', status: 401 }],
    [`/api/contacts?key=${issued.key}`, { headers: {} }, { route: '/api/contacts', status: 401 }],
    [`/nope/${issued.key}`, { headers: { cookie: 'sm_client=private' } }, { status: 404 }],
    ['/api/contacts?search=%ff', { headers: key }, { status: 400 }],
    ['/api/contacts/%ff', { headers: key }, { status: 400 }],
    [`/api/contacts/${'a'.repeat(300)}`, { headers: key }, { status: 414 }],
    ['/health/live', { headers: {} }, { route: '/health/live', status: 200 }],
    ['/api/keys', { headers: { ...key, 'content-type': 'text/private' }, method: 'POST', body: '{"private":1}' }, { method: 'POST', route: '/api/keys', status: 415 }],
  ]; // prettier-ignore
  for (const [index, [path, init]] of asked.entries()) {
    const headers = { ...init.headers, 'x-request-id': `request-${index}` };
    await (await fetch(url + path, { ...init, headers })).text();
  }
  await hangUp();
  await sendRaw(url, 'garbage private\r\n\r\n');
  const minted = await fetch(`${url}/api/keys`, {
    method: 'POST',
    headers: { ...key, 'content-type': 'application/json', 'x-request-id': 'request-minted' },
    body: JSON.stringify({ name: 'y', scopes: ['contacts:read'] }),
  });
  const { data } = (await minted.json()) as { data: { key: string } };

  const ended = once(logging, 'close');
  logging.kill('SIGTERM');
  await ended;
  const lines = output
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as Line);
  // A client that hung up is no fault of ours.
  expect(lines.filter(({ level = 0 }) => level >= 40)).toEqual([]);
  const requests = lines.filter(({ msg }) => msg === 'request completed');
  // Those who hung up are two more: one was minting a key, one has gone.
  expect(requests).toHaveLength(asked.length + 2);
  for (const [index, [, , expected]] of asked.entries()) {
    const mine = requests.filter(({ reqId }) => reqId === `request-${index}`);
    expect(mine).toEqual([expect.objectContaining({ method: 'GET', ms: expect.any(Number), ...expected })]);
    expect(mine[0]?.caller).toBe(expected.caller);
  }

  for (const secret of [issued.key, data.key, bearer.authorization]) {
    expect(output).not.toContain(secret);
    expect(output).not.toContain(secret.slice(20, 50));
  }
  expect(output).not.toMatch(/private|garbled/);
});
