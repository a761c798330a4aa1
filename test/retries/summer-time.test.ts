// A retry gets the first answer for 24 hours, also where the database's clocks have gone forward in between.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadEnv } from '../../src/config/env.js';
import { sweep } from '../../src/retention/retention.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A time zone of UTC whose clocks went forward two hours ago, as PostgreSQL takes it. */
function summerTime(): string {
  const begin = new Date(Date.now() - 2 * HOUR);
  const day = Math.floor((begin.getTime() - Date.UTC(begin.getUTCFullYear(), 0, 1)) / DAY);
  return `UUU0SSS-1,${day}/${begin.getUTCHours()},${(day + 200) % 365}/0`;
}

test('an answer 23 hours and a half old is not swept where a day has 23', async () => {
  const own = new URL(service.databaseUrl).pathname.slice(1);
  await service.sql(`ALTER DATABASE "${own}" SET TimeZone = '${summerTime()}'`);
  const ask = () =>
    service.api.post(
      '/api/contacts',
      { email: 'once@acme.test' },
      { headers: { 'idempotency-key': 'summer' } },
    );
  const first = await ask();
  expect(first.status).toBe(201);
  await service.sql(`UPDATE idempotent_write SET created_at = created_at - interval '23 hours 30 minutes'`);
  let swept: Record<string, number> | null = null;
  // The service itself sweeps at its start, and nobody beside it.
  await waitUntil(async () => {
    swept = await sweep(loadEnv({ NODE_ENV: 'test', DATABASE_URL: service.databaseUrl }));
    return swept !== null;
  });
  expect(swept).toMatchObject({ idempotent_write: 0 });
  expect((await ask()).body).toEqual(first.body);
});
