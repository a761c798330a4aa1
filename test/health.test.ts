// What balancers ask: whether the process lives, and whether it serves. The answers say that much and no more.
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Response } from 'supertest';
import { SchemaProbe } from '../src/database/schema-probe.js';
import { Readiness } from '../src/health/readiness.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { createContact } from './support/factories.js';
import { Line } from './support/line.js';
import { PATIENT, TestService } from './support/service.js';
import { SilentProxy } from './support/silent-proxy.js';
import { statementsDuring } from './support/statements.js';
import { untilLocked, waitUntil } from './support/wait.js';

const NOT_READY = {
  ok: false,
  error: {
    code: 'unavailable',
    message: 'The service cannot answer right now. Try again shortly.',
    request_id: expect.any(String),
  },
};

let database: TestDatabase;
/** Holds locks; another looks on, which in a transaction would see the same again and again. */
let direct: pg.Client;
let watcher: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  [direct, watcher] = [1, 2].map(() => new pg.Client({ connectionString: database.url })) as [
    pg.Client,
    pg.Client,
  ];
  await Promise.all([direct.connect(), watcher.connect()]);
});
afterAll(async () => {
  await Promise.all([direct.end(), watcher.end()]);
  await database.drop();
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a service in good health', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await TestService.start({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: '2', ...PATIENT });
    // So patient that a busy machine is no database that says nothing.
    const readiness: { probe: SchemaProbe } = service.app.get(Readiness);
    await readiness.probe.end();
    readiness.probe = new SchemaProbe(database.url, 60_000);
  });
  afterAll(() => service.stop());

  test.each(['live', 'ready'])('is %s, without a key and without a cache', async (status) => {
    const { status: code, headers, body } = await service.as({}).get(`/health/${status}`);
    expect([code, body]).toEqual([200, { ok: true, data: { status } }]);
    expect(headers['cache-control']).toBe('no-store');
  });

  test('is ready while all connections for requests are taken', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => createContact(service.api)));
    await direct.query('BEGIN; LOCK TABLE contact IN EXCLUSIVE MODE');
    const patches = ids.map((id) => service.api.patch(`/api/contacts/${id}`, { title: 'late' }));
    // As many as there are connections.
    await untilLocked(watcher, 2);
    expect((await service.api.get('/health/ready')).status).toBe(200);
    await direct.query('COMMIT');
    for (const { status } of await Promise.all(patches)) expect(status).toBe(200);
  });

  test('is not ready when its questions take longer together than the database has', async () => {
    const line = new Line(new URL(database.url));
    const probe = new SchemaProbe(await line.open(), 5_000);
    const answers = () =>
      probe.missingMigrations().then(
        (missing) => missing.length === 0,
        () => false,
      );
    await waitUntil(answers);
    line.beforeNext('to_regclass', async () => {
      line.beforeNext('FROM migration', () => sleep(4_000));
      await sleep(4_000);
    });
    await expect(probe.missingMigrations()).rejects.toThrow('in time');
    await waitUntil(answers);
    await probe.end();
    line.close();
  });

  test('asks the database once for however many ask it at once', async () => {
    await direct.query('BEGIN; LOCK TABLE migration');
    let arrived = 0;
    const count = (): unknown => (arrived += 1);
    service.app.getHttpServer().on('request', count);
    let statements: string[] = [];
    const answers = (async () => {
      let all: Response[] = [];
      statements = await statementsDuring(async () => {
        all = await Promise.all(Array.from({ length: 40 }, () => service.api.get('/health/ready')));
      });
      return all;
    })();
    await waitUntil(async () => arrived === 40);
    await untilLocked(watcher, 1);
    service.app.getHttpServer().off('request', count);
    await direct.query('COMMIT');
    expect(new Set((await answers).map(({ status }) => status))).toEqual(new Set([200]));
    expect(statements.filter((text) => text.includes('FROM migration'))).toHaveLength(1);
  });

  test('is not ready on a schema that lacks a migration, and does not say which', async () => {
    const { rows } = await direct.query<{ name: string }>(
      `DELETE FROM migration WHERE name = (SELECT max(name) FROM migration) RETURNING *`,
    );
    const answer = await service.api.get('/health/ready');
    expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([503, '1', NOT_READY]);
    expect((await service.api.get('/health/live')).status).toBe(200);
    await direct.query('INSERT INTO migration SELECT * FROM json_populate_recordset(NULL::migration, $1)', [
      JSON.stringify(rows),
    ]);
    expect((await service.api.get('/health/ready')).status).toBe(200);
  });

  test('stays ready when the next release has migrated, until it is replaced', async () => {
    await direct.query(`INSERT INTO migration VALUES ('9999999999999-add-more', now(), 1, 'x')`);
    expect((await service.api.get('/health/ready')).status).toBe(200);
    await direct.query(`DELETE FROM migration WHERE name = '9999999999999-add-more'`);
  });
});

test('a service that drains is alive and not ready, and goes on answering', async () => {
  const service = await TestService.start();
  service.app.get(Readiness).drain();
  const { status, body } = await service.api.get('/health/ready');
  expect([status, body]).toEqual([503, NOT_READY]);
  expect((await service.api.get('/health/live')).status).toBe(200);
  expect((await service.api.get('/api/contacts')).status).toBe(200);
  await service.stop();
});

test('a service whose database says nothing is alive and not ready', async () => {
  const proxy = await SilentProxy.to(database.url);
  const service = await TestService.start({
    DATABASE_URL: proxy.through(database.url),
    DATABASE_TIMEOUT_MS: '600000',
  });
  await waitUntil(async () => (await service.api.get('/health/ready')).status === 200);
  proxy.fallSilent();
  const answers = await Promise.all([service.api.get('/health/ready'), service.api.get('/health/live')]);
  expect(answers.map(({ status }) => status)).toEqual([503, 200]);
  expect(answers[0].body).toEqual(NOT_READY);
  proxy.close();
  await service.stop();
});
