// Totals, pages and searches are exact in whatever snapshot of primary or standby they are read, while writers go on.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Interleaving, type Step, anyStep } from '../support/interleaving.js';
import type { ListCall } from '../support/random-lists.js';
import { ReplicatedServers } from '../support/replicated-servers.js';

/** Interleavings tried; each takes several seconds. */
const RUNS = Number(process.env.FC_RUNS ?? 1);
const STEPS = 160;
const MINUTE = 60_000;
const LIMIT = (RUNS / 6 + 4) * MINUTE;

let servers: ReplicatedServers;
let interleaving: Interleaving;
let ways: Map<string, number>;

beforeAll(async () => {
  servers = await ReplicatedServers.start();
  interleaving = await Interleaving.start(servers.primary.url(), {
    url: servers.standby.url(),
    caughtUp: () => servers.caughtUp(),
  });
});
afterAll(async () => {
  await interleaving.stop();
  await servers.stop();
});
beforeEach(() => {
  ways = new Map();
});

async function take(steps: readonly Step[], hasReplica = true): Promise<void> {
  await interleaving.begin(ways, hasReplica);
  for (const step of steps) await interleaving.take(step);
  await interleaving.finish();
}

const fold: Step = { do: 'fold', keep: 50_000, open: false };
const insert = (rows: number, writer = 0): Step => ({
  do: 'write',
  writer,
  write: { kind: 'insert', like: 0, rows },
});
const all = (filters: ListCall['filters'], as: ListCall['as'] = 'key'): ListCall => ({
  as,
  filters,
  view: {},
});
const readOnStandby = (list: ListCall): Step => ({ do: 'read anew', list });
const readOnPrimary = (list: ListCall): Step => ({ do: 'read', reader: 0, list });

const TAGGED = all({ tag: 'vip' });
/** Read on the standby while a transaction runs that has inserted some. */
const READ_AS_OTHERS_RUN: readonly Step[] = [
  fold,
  { do: 'begin', writer: 1 },
  insert(30, 1),
  // Committed after it, and before it: a snapshot of the standby takes the other for committed, too.
  insert(1),
  readOnStandby(TAGGED),
  { do: 'commit', writer: 1 },
];
const EVERY_WAY = [all({}), all({ type: 'client' }), TAGGED, all({ search: 'mar' }), all({}, 'co_1')];

test(
  'every list is exact in its snapshot, however writers, folds and readers of both servers interleave',
  async () => {
    const steps = fc.noBias(fc.array(anyStep, { minLength: STEPS / 2, maxLength: STEPS, size: 'max' }));
    const begun = [
      fold,
      ...EVERY_WAY.map(readOnStandby),
      ...EVERY_WAY.map(readOnStandby),
      ...EVERY_WAY.map(readOnPrimary),
    ];
    const taken = fc.asyncProperty(steps, (further) => take([...begun, ...further]));
    await fc.assert(taken, { numRuns: RUNS, interruptAfterTimeLimit: LIMIT });
    // What is not taken is not tested.
    for (const way of ['counted', 'of a slice', 'remembered', 'remembered of a company', 'walk'])
      expect([way, ways.get(way)]).toEqual([way, expect.any(Number)]);
    if (process.env.FC_RUNS) console.log(Object.fromEntries(ways));
  },
  LIMIT + MINUTE,
);

test('a total counted on the standby while a transaction runs has what that commits added', async () => {
  await take([...READ_AS_OTHERS_RUN, insert(1), readOnStandby(TAGGED), readOnPrimary(TAGGED)]);
  expect(Object.fromEntries(ways)).toMatchObject({ counted: 1, remembered: 2 });
});

test('a total counted on a standby that stands where the primary should is counted anew each time', async () => {
  await take([...READ_AS_OTHERS_RUN, readOnStandby(TAGGED)], false);
  expect(Object.fromEntries(ways)).toMatchObject({ counted: 2 });
});

test('a total counted on the primary serves the standby as well, even in a snapshot that is older', async () => {
  await take([
    fold,
    insert(30),
    { do: 'open snapshot', reader: 1 },
    insert(30),
    readOnPrimary(TAGGED),
    { do: 'read', reader: 1, list: TAGGED },
    readOnStandby(TAGGED),
  ]);
  expect(Object.fromEntries(ways)).toMatchObject({ counted: 1, remembered: 2 });
});
