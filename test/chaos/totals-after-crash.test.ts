// A server that crashed gives numbers of transactions again: a total remembered from before must not go by them.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Cluster } from '../support/chaos/cluster.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

// PostgreSQL is signalled and told apart from other processes as Unix does it.
const onUnix = process.platform === 'win32' ? describe.skip : describe;

onUnix('after a crash', () => {
  let cluster: Cluster;
  let service: TestService;
  beforeAll(async () => {
    // What is not committed reaches the disk late, and so a crash forgets that it was there.
    cluster = await Cluster.create({ wal_writer_delay: '10s' });
    // Nor may anybody's limits bring it there.
    service = await TestService.start({ DATABASE_URL: cluster.url, RATE_LIMIT_KEY: '0' });
  });
  afterAll(async () => {
    await service?.stop();
    await cluster?.destroy();
  });

  const total = async (): Promise<number> => {
    const { body } = await service.api.get('/api/contacts?tag=vip&limit=1');
    return body.data?.total as number;
  };
  const insert = (first: number, count: number): Promise<object[]> =>
    cluster.sql(
      `INSERT INTO contact (id, email, tags)
       SELECT 'ct_' || n, n || '@vip.test', 'vip' FROM generate_series($1::int, $2::int) AS n`,
      [first, first + count - 1],
    );

  async function nextTransaction(): Promise<number> {
    const rows = await cluster.sql<{ xid: string }>('SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid');
    return Number(rows[0]?.xid);
  }

  test('totals are exact', async () => {
    await insert(1, 1_500);
    await waitUntil(async () => {
      const unfolded = await cluster.sql('SELECT FROM contact_changes_since((contact_last_fold()).as_of)');
      return unfolded.length === 0;
    });
    // The note of the key's use would bring what was before it to the disk.
    await service.api.get('/api/contacts?limit=1');
    await waitUntil(
      async () => (await cluster.sql('SELECT FROM api_key WHERE last_used_at IS NULL')).length === 0,
    );
    for (let isForgotten = false; !isForgotten;) {
      const client = await cluster.connect();
      for (let n = 1; n <= 50; n += 1) {
        await client.query(
          `BEGIN; INSERT INTO contact (id, email) VALUES ('ct_gone', 'gone@vip.test'); ROLLBACK`,
        );
      }
      const before = await nextTransaction();
      await waitUntil(async () => (await total()) !== undefined);
      expect(await total()).toBe(1_500);
      await cluster.kill();
      await cluster.start();
      isForgotten = (await nextTransaction()) < before;
    }
    // As many transactions as were forgotten, and more.
    for (let n = 1; n <= 100; n += 1) await insert(10_000 + n, 1);
    await waitUntil(async () => (await total()) !== undefined);
    expect(await total()).toBe(1_600);
  });
});
