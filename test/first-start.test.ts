// The first start of an embedded database: sample data and a key, and both or neither.
import { readFileSync } from 'node:fs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DataSource } from 'typeorm';
import { createApp } from '../src/app.setup.js';
import { loadEnv } from '../src/config/env.js';
import { prepareFirstStart } from '../src/local/first-start.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';

/** The first answer that README.md shows: to `?limit=1`. */
const [, json = ''] =
  /```json\n(\{\n[\s\S]*?\n\})\n```/.exec(readFileSync(new URL('../README.md', import.meta.url), 'utf8')) ??
  [];
const README = JSON.parse(json) as { data: { items: object[] } };

let database: TestDatabase;
let app: NestFastifyApplication;
beforeAll(async () => {
  database = await createTestDatabase();
  app = await createApp(loadEnv({ NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_URL: database.url }));
  await app.listen(0, '127.0.0.1');
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

const sql = <Row>(text: string): Promise<Row[]> => app.get(DataSource).query<Row[]>(text);
const counts = () =>
  sql(`SELECT (SELECT count(*)::int FROM company) AS companies, (SELECT count(*)::int FROM contact) AS contacts,
    (SELECT count(*)::int FROM api_key) AS keys, (SELECT count(*)::int FROM auth_audit_log) AS audited`);

test('broken off, it leaves nothing, so that the next one is the first', async () => {
  // The key comes last.
  await sql(`ALTER TABLE api_key ADD CONSTRAINT none CHECK (false)`);
  await expect(prepareFirstStart(app)).rejects.toThrow('none');
  expect(await counts()).toEqual([{ companies: 0, contacts: 0, keys: 0, audited: 0 }]);
  await sql(`ALTER TABLE api_key DROP CONSTRAINT none`);
});

test('it fills an empty database and answers a key that works; the next one does neither', async () => {
  const key = await prepareFirstStart(app);
  const url = await app.getUrl();
  const answer = await fetch(`${url}/api/contacts?limit=1`, { headers: { 'x-sm-key': String(key) } });
  const ids = { id: expect.any(String), company_id: expect.any(String) };
  const [shown] = README.data.items;
  expect(await answer.json()).toEqual({ ...README, data: { ...README.data, items: [{ ...shown, ...ids }] } });
  expect(await prepareFirstStart(app)).toBeNull();
  expect(await counts()).toMatchObject([{ companies: 30, contacts: 200, keys: 1 }]);
});
