// Another server becomes the primary, and the name in DATABASE_URL leads to it from then on.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sessions } from '../support/chaos/audit.js';
import type { Cluster } from '../support/chaos/cluster.js';
import { World } from '../support/chaos/world.js';
import { waitUntil } from '../support/wait.js';
import { isLong } from './traffic.js';

// PostgreSQL is signalled as Unix does it; to make a standby each time takes longer than `npm test` has.
const inTheLongVersion = process.platform !== 'win32' && isLong ? describe : describe.skip;

inTheLongVersion('a standby takes over', () => {
  let world: World;
  let standby: Cluster;
  beforeEach(async () => {
    world = await World.create();
    standby = await world.cluster.makeStandby();
    // The password came along, the port is another.
    world.line.redirect(new URL(world.cluster.url));
  });
  afterEach(async () => {
    await standby?.destroy();
    await world?.destroy();
  });

  async function promote(): Promise<void> {
    await standby.sql('SELECT pg_promote(true)');
    world.line.redirect(new URL(standby.url));
  }

  test('from a primary that has died', async () => {
    const name = 'primary killed, standby promoted';
    const begin = (): Promise<void> => world.cluster.kill();
    await world.survive({ name, lasts: 500, begin, end: promote }, standby);
  });

  test('from a primary that lives on, read-only: nobody stays with it', async () => {
    const name = 'primary made read-only, standby promoted';
    const begin = (): Promise<void> => world.cluster.configure('default_transaction_read_only', 'on');
    await world.survive({ name, lasts: 1_000, begin, end: promote }, standby);
    const old = await world.cluster.connect();
    await waitUntil(async () => Object.keys(await sessions(old)).length === 0);
    expect(await sessions(old)).toEqual({});
    await old.end();
  });
});
