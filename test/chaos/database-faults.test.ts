// The database fails in every way it can while clients write: nothing acknowledged is lost, nothing is done twice.
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { FAULTS } from '../support/chaos/faults.js';
import { World } from '../support/chaos/world.js';
import { isLong } from './traffic.js';

/** What `npm test` has time for. */
const SHORT = ['killed with all its processes', 'every fiftieth answer lost with its connection'];
const faults = FAULTS.filter(({ name }) => isLong || SHORT.includes(name));

// PostgreSQL is signalled and told apart from other processes as Unix does it.
const onUnix = process.platform === 'win32' ? describe.skip : describe;

onUnix('the database is', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create();
  }, 120_000);
  afterAll(() => world?.destroy(), 60_000);

  test.each(faults.map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_name, fault) => world.survive(fault),
    120_000,
  );
});
