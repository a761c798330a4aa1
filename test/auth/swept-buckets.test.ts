// How the buckets that are full again are swept out, and when there are more of them than one statement gets through.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { RateLimitsRepository } from '../../src/auth/rate-limits.repository.js';
import { loadEnv } from '../../src/config/env.js';
import { type ConnectedDatabase, connectTestDatabase } from '../support/database.js';
import { waitUntil } from '../support/wait.js';

let database: ConnectedDatabase;
let client: ConnectedDatabase['client'];
beforeAll(async () => {
  database = await connectTestDatabase();
  ({ client } = database);
});
afterAll(() => database.close());

test('buckets that are full again are swept out, the others stay, and none owes more than a window', async () => {
  const limits = new RateLimitsRepository(loadEnv({ DATABASE_URL: database.url }));
  const owed = await limits.take(['swept', 'kept'], [1, 600_000]);
  expect(owed.get('kept')).toBe(600_000);
  expect((await limits.take(['kept'], [1])).get('kept')).toBeLessThanOrEqual(120_000);
  await sleep(20);
  await limits.sweep();
  await limits.close();
  expect((await client.query('DELETE FROM rate_limit RETURNING bucket')).rows).toEqual([{ bucket: 'kept' }]);
});

test('a sweep takes many in turns of ten thousand, so that each is done in time', async () => {
  await client.query(`
    CREATE TABLE turn (rows integer);
    CREATE FUNCTION note_turn() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO turn SELECT count(*) FROM gone; RETURN NULL; END';
    CREATE TRIGGER note_turn AFTER DELETE ON rate_limit REFERENCING OLD TABLE AS gone
      FOR EACH STATEMENT EXECUTE FUNCTION note_turn();
    INSERT INTO rate_limit SELECT 'full ' || n, now() - interval '1 second' FROM generate_series(1, 25000) n;
    INSERT INTO rate_limit VALUES ('kept', now() + interval '1 hour')`);
  const limits = new RateLimitsRepository(loadEnv({ DATABASE_URL: database.url }));
  // A turn that a busy machine does not do in time comes to nothing, and is done the next time.
  await waitUntil(() =>
    limits.sweep().then(
      () => true,
      () => false,
    ),
  );
  await limits.close();
  expect((await client.query('SELECT rows FROM turn')).rows).toEqual(
    [10_000, 10_000, 5_000].map((rows) => ({ rows })),
  );
  expect((await client.query('SELECT bucket FROM rate_limit')).rows).toEqual([{ bucket: 'kept' }]);
});
