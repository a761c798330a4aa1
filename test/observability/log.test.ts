// What a line of the log may hold, and what becomes of errors and of requests that nobody waits for.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { QueryFailedError } from 'typeorm';
import { loadEnv } from '../../src/config/env.js';
import { loggerOptions } from '../../src/config/logger.js';
import { describeError, scrub } from '../../src/config/redact.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { leaks } from '../support/planted.js';
import { startEntry } from '../support/process.js';
import { RunningService } from '../support/running-service.js';
import { waitUntil } from '../support/wait.js';

/** A file on a disk that is full, where the system has one. */
const FULL = '/dev/full';

describe('scrub', () => {
  const key = 'smk_abcdefghijkl_0123456789012345678901234567890123456789012abcdef';
  const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjdF8xIn0.c2lnbmF0dXJl_-';

  test.each([
    ['a key', `key ${key}, twice: "${key}"`, 'key [api key], twice: "[api key]"'],
    ['a token', `{"jwt":"${token}"}`, '{"jwt":"[token]"}'],
    ['a cookie', `sm_client=${token}; a=b`, 'sm_client=[redacted]; a=b'],
    ['a link', 'https://x.test/l?token=abc-1&b=2', 'https://x.test/l?token=[redacted]&b=2'],
    [
      'what headers and bodies have of it',
      '{"authorization":"Basic YTpi","refresh_token":"abc","code":"unavailable"}',
      '{"authorization":"[redacted]","refresh_token":"[redacted]","code":"unavailable"}',
    ],
    ['credentials of a URL', 'postgres://u:p@db.internal:5432/c', 'postgres://[redacted]@db.internal:5432/c'],
    ['an address', '"Jane <jane.smith+x@acme.co.uk>"', '"Jane <[e-mail]>"'],
    ['an address in a URL', '/contacts?email=jane%40acme.com&a=b', '/contacts?email=[e-mail]&a=b'],
    ['an address that is not ASCII', 'zoë@bücher.example', '[e-mail]'],
  ])('takes %s away', (_what, text, scrubbed) => {
    expect(scrub(text)).toBe(scrubbed);
  });

  test('leaves everything else as it is', () => {
    const frame = 'at run (file:///app/node_modules/@nestjs/core/router.js:1:2)';
    for (const text of [frame, '{"route":"/api/contacts/:id","ms":1.5}', 'code: 23505', 'a @ b'])
      expect(scrub(text)).toBe(text);
  });
});

describe('an error in the log', () => {
  test('has its type, code, message, place and causes, and nothing else that hangs on it', () => {
    const cause = Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input: 'planted' });
    const error = Object.assign(new Error('outer\nmessage', { cause }), { body: 'planted' });
    const described = describeError(error);
    expect(described).toMatchObject({
      type: 'Error',
      message: 'outer\nmessage',
      stack: expect.stringMatching(/^ {4}at .*log\.test\.ts/),
      cause: { type: 'TypeError', code: 'ERR_INVALID_URL', message: 'Invalid URL' },
    });
    expect(leaks(JSON.stringify(described))).toEqual([]);
  });

  test('of PostgreSQL has no message where that may quote a value', () => {
    const quoting = Object.assign(new pg.DatabaseError('invalid integer: "planted"', 1, 'error'), {
      code: '22P02',
      detail: 'planted',
    });
    const wrapped = new QueryFailedError('INSERT …', ['planted'], quoting);
    expect(describeError(wrapped)).toMatchObject({ code: '22P02', message: 'PostgreSQL refused a value.' });
    expect(leaks(JSON.stringify(describeError(wrapped)))).toEqual([]);
    const telling = Object.assign(new pg.DatabaseError('too many clients', 1, 'error'), { code: '53300' });
    expect(describeError(telling)).toMatchObject({ code: '53300', message: 'too many clients' });
  });

  test('says so when it is none, and ends where causes go in a circle', () => {
    expect(describeError('planted')).toEqual({ type: 'string', message: 'What was thrown is no error.' });
    const circle = new Error('round');
    circle.cause = circle;
    expect(JSON.stringify(describeError(circle))).toContain('round');
  });
});

test('production logs JSON even onto a terminal; development prints for people there', () => {
  const { isTTY } = process.stdout;
  const secrets = {
    PUBLIC_URL: 'https://a.test',
    PORTAL_SECRET: 'x'.repeat(32),
    DATABASE_URL: 'postgres://h/d',
  };
  const printer = (NODE_ENV: string): unknown => {
    const { pinoHttp } = loggerOptions(loadEnv({ NODE_ENV, ...secrets }));
    return Array.isArray(pinoHttp)
      ? 'json'
      : (pinoHttp as { transport: { target: string } }).transport.target;
  };
  try {
    process.stdout.isTTY = true;
    expect([printer('production'), printer('development')]).toEqual(['json', 'pino-pretty']);
    process.stdout.isTTY = false;
    expect(printer('development')).toBe('json');
  } finally {
    process.stdout.isTTY = isTTY;
  }
});

describe('a process', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  let child: ChildProcess | undefined;
  afterEach(() => void child?.kill('SIGKILL'));

  test.each([
    ['an error that nobody caught', 'throw fault'],
    ['a promise that nobody waits for', 'void Promise.reject(fault)'],
  ])('that ends by %s says so, without the values that hang on it', async (_what, action) => {
    const fault = `const fault = Object.assign(new Error('boom'), { parameters: ['planted', 'zdenka@planted.example'] })`;
    const code = `process.once('SIGUSR2', () => { ${fault}; ${action}; })`;
    const NODE_OPTIONS = `--import "data:text/javascript,${encodeURIComponent(code)}"`;
    const service = await RunningService.start({ DATABASE_URL: database.url, NODE_OPTIONS });
    service.signal('SIGUSR2');
    expect(await service.ended).toBe(1);
    const line = service.output.split('\n').find((text) => text.includes('boom'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 60, type: 'Error', message: 'boom' });
    expect(leaks(service.output)).toEqual([]);
  });

  // A device that is always full, as Linux has it.
  (existsSync(FULL) ? test : test.skip)(
    'that cannot write its log goes on, says so once, and drains as ever',
    async () => {
      const log = await open(FULL, 'w');
      const port = String(await freePort());
      const settings = { DATABASE_URL: database.url, PORT: port, LOG_LEVEL: 'debug' };
      const service = startEntry('main', [], settings, log.fd);
      await log.close();
      child = service;
      let errors = '';
      service.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      const ended = once(service, 'close');
      const isAlive = async (): Promise<boolean> =>
        (await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined))?.status === 200;
      await waitUntil(async () => service.exitCode !== null || (await isAlive()));
      // Each writes a line, and together they are more than a batch.
      for (let count = 0; count < 100; count += 1) expect(await isAlive()).toBe(true);
      service.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      expect(errors).toMatch(/^The log cannot be written: ENOSPC[^\n]*\n$/);
    },
  );
});
