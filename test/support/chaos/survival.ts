// A describe of faults: clients write through one service while each comes and goes, one after the other.
import { afterAll, beforeAll, test } from '@jest/globals';
import { type Fault, World } from './world.js';

/** To be called within a `describe`. @param program PgBouncer, where the service is to ask the database by way of it. */
export function surviveEach(faults: readonly Fault[], program?: string): void {
  let world: World;
  beforeAll(async () => {
    world = await World.create(program);
  });
  afterAll(() => world?.destroy());

  test.each(faults.map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_name, fault) => world.survive(fault),
    120_000,
  );
}
