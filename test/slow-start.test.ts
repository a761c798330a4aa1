// A database that is there, and slow to let the service in.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { Line } from './support/line.js';
import { TestService } from './support/service.js';
import { waitUntil } from './support/wait.js';

let database: TestDatabase;
let line: Line;
beforeAll(async () => {
  database = await createTestDatabase();
  line = new Line(new URL(database.url));
});
afterAll(async () => {
  line.close();
  await database.drop();
});

test('a first connection that takes too long does not end the start', async () => {
  const settings = { DATABASE_URL: await line.open(), DATABASE_POOL_WAIT_MS: '1000' };
  line.silence();
  const starting = TestService.start(settings);
  await waitUntil(async () => line.isUsed);
  line.restore();
  const service = await starting;
  const { status } = await service.api.get('/health/ready');
  await service.stop();
  expect(status).toBe(200);
});
