// Two processes with a replica that lags, stops, is killed and promoted under load: whoever wrote sees it in the other one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ReplicaServices } from '../support/replica-services.js';
import { RunningService } from '../support/running-service.js';
import { waitUntil } from '../support/wait.js';
import { isLong } from './traffic.js';

const CLIENTS = 6;
const ROUNDS = isLong ? 5 : 1;
const TIMEOUT = ROUNDS * 600_000;
const TOKEN = 'x-consistency-token';

let replica: ReplicaServices;
let processes: [RunningService, RunningService];
let key: string;
beforeAll(async () => {
  replica = await ReplicaServices.start();
  const beside = await replica.service({ DATABASE_REPLICA_URL: '' }, { isUsed: false });
  const scopes = ['contacts:read', 'contacts:write'];
  key = (await beside.api.post('/api/keys', { name: 'chaos', scopes })).body.data.key;
  const settings = {
    DATABASE_URL: replica.servers.primary.url(),
    DATABASE_REPLICA_URL: replica.servers.standby.url(),
    RATE_LIMIT_KEY: '0',
  };
  processes = [await RunningService.start(settings), await RunningService.start(settings)];
}, TIMEOUT);
afterAll(async () => {
  for (const process of processes) await process.kill();
  await replica.stop();
});

/** Clients that write in one process and read in the other; half of the reads send the token of the write. */
class Readers {
  readonly figures = { writes: 0, reads: 0, stale: 0, failed: 0 };
  private readonly clients: Promise<void>[];
  private isStopped = false;

  constructor() {
    this.clients = Array.from({ length: CLIENTS }, (_, index) => this.run(`source${index}`));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.clients);
  }

  private async run(source: string): Promise<void> {
    let made = 0;
    while (!this.isStopped) {
      const [writer, reader] = made % 2 === 0 ? processes : [processes[1], processes[0]];
      const email = `${source}.${made}@acme.test`;
      const written = await this.send(writer, 'POST', '/api/contacts', { body: { email, source } });
      if (!written) continue;
      made += 1;
      this.figures.writes += 1;
      const headers = made % 4 < 2 && written.token ? { [TOKEN]: written.token } : undefined;
      const listed = await this.send(reader, 'GET', `/api/contacts?source=${source}&limit=1`, { headers });
      const found = await this.send(reader, 'GET', `/api/contacts/${written.data.id}`, { headers });
      this.figures.reads += 2;
      if (listed?.data.total !== made || listed?.data.items?.[0]?.email !== email) this.figures.stale += 1;
      if (found?.data.email !== email) this.figures.stale += 1;
    }
  }

  private async send(
    { url }: RunningService,
    method: string,
    path: string,
    { body, headers }: { body?: object; headers?: Record<string, string> },
  ): Promise<{ data: Data; token: string | null } | undefined> {
    const response = await fetch(url + path, {
      method,
      headers: { 'x-sm-key': key, ...(body && { 'content-type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
    });
    const { data } = (await response.json()) as { data?: Data };
    if (data) return { data, token: response.headers.get(TOKEN) };
    this.figures.failed += 1;
    return undefined;
  }
}

interface Data {
  id: string;
  email: string;
  total: number;
  items: { email: string }[];
}

/** How often contacts were looked up on the replica since it started. */
async function readsOfReplica(): Promise<number> {
  const [row] = await replica.servers.standby.sql<{ scans: string }>(
    `SELECT idx_scan AS scans FROM pg_stat_user_tables WHERE relname = 'contact'`,
  );
  return Number(row?.scans);
}

async function isUsedAgain(): Promise<void> {
  const before = await readsOfReplica();
  await waitUntil(async () => (await readsOfReplica()) > before);
}

test(
  'every write is seen at once in the other process, whatever becomes of the replica',
  async () => {
    const readers = new Readers();
    let ofReplica = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await isUsedAgain();
      await replica.set('recovery_min_apply_delay', '50ms');
      await delay(1_000);
      await replica.set('recovery_min_apply_delay', '0');
      await replica.pause();
      await delay(1_000);
      await replica.resume();
      await isUsedAgain();
      ofReplica += await readsOfReplica();
      await replica.servers.standby.kill();
      await delay(500);
      await replica.servers.standby.start();
      await isUsedAgain();
    }
    ofReplica += await readsOfReplica();
    await replica.servers.standby.promote();
    await delay(1_000);
    await readers.stop();
    const { writes, reads, stale, failed } = readers.figures;
    process.stdout.write(
      `A replica that lags, stops, dies and is promoted: ${writes} writes, ${reads} reads of them in the other process, ` +
        `${ofReplica} look-ups on the replica; ${failed} failed, ${stale} did not see the write\n`,
    );
    expect({ failed, stale }).toEqual({ failed: 0, stale: 0 });
  },
  TIMEOUT,
);
