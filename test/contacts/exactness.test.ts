// Totals, pages, cursor walks and searches are exact in whatever snapshot they are read, while writers, folds and other
// readers go on: they are what counting and sorting the contacts themselves gives there.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type TestDatabase, createTestDatabase } from '../support/database.js';
import { Interleaving, type Step, anyStep } from '../support/interleaving.js';

/** Interleavings tried; each takes a few seconds. */
const RUNS = Number(process.env.FC_RUNS ?? 8);
const STEPS = 250;
const MINUTE = 60_000;
/** A failure is told as small as it has become by then. */
const LIMIT = (RUNS / 6 + 4) * MINUTE;

let database: TestDatabase;
let interleaving: Interleaving;
let ways: Map<string, number>;

beforeAll(async () => {
  database = await createTestDatabase();
  interleaving = await Interleaving.start(database.url);
});
afterAll(async () => {
  await interleaving.stop();
  await database.drop();
});
beforeEach(() => {
  ways = new Map();
});

async function take(steps: readonly Step[]): Promise<void> {
  await interleaving.begin(ways);
  for (const step of steps) await interleaving.take(step);
  await interleaving.finish();
}

test(
  'every list is exact in its snapshot, however writers, folds and readers interleave',
  async () => {
    const steps = fc.noBias(fc.array(anyStep, { minLength: 1, maxLength: STEPS, size: 'max' }));
    await fc.assert(fc.asyncProperty(steps, take), { numRuns: RUNS, interruptAfterTimeLimit: LIMIT });
    // What is not taken is not tested.
    for (const way of [
      'counted',
      'of a slice',
      'of a slice, not known',
      'page start by day',
      'page start by hour',
      'remembered',
      'remembered of a company',
      'walk',
    ])
      expect([way, ways.get(way)]).toEqual([way, expect.any(Number)]);
    if (process.env.FC_RUNS) console.log(Object.fromEntries(ways));
  },
  LIMIT + MINUTE,
);

const fold = (keep = 50_000): Step => ({ do: 'fold', keep, open: false });
const readAnew = (filters: object, view: object = {}): Step => ({
  do: 'read anew',
  list: { as: 'key', filters, view },
});
const readIn = (reader: number, filters: object): Step => ({
  do: 'read',
  reader,
  list: { as: 'key', filters, view: {} },
});
const insert = (rows: number, writer = 0): Step => ({
  do: 'write',
  writer,
  write: { kind: 'insert', like: 0, rows },
});
const TAGGED = { tag: 'vip' };
const FREQUENT = { search: 'mar' };

test('a total remembered in a newer snapshot is not taken for that of an older one', async () => {
  const readBoth = [TAGGED, FREQUENT].flatMap((filters) => [readAnew(filters), readIn(0, filters)]);
  await take([
    fold(),
    { do: 'open snapshot', reader: 0 },
    insert(30),
    ...readBoth,
    // Committed before others that began before it.
    { do: 'begin', writer: 1 },
    insert(30, 1),
    insert(1),
    { do: 'open snapshot', reader: 0 },
    { do: 'commit', writer: 1 },
    ...readBoth,
  ]);
  expect(ways.get('remembered in a later snapshot')).toBe(4);
  expect(ways.get('remembered, not known')).toBe(2);
  expect(ways.get('walk, total not known')).toBe(2);
});

test('a total is counted anew when the log no longer reaches back to it', async () => {
  await take([
    fold(),
    ...[TAGGED, FREQUENT].map((filters) => readAnew(filters)),
    insert(30),
    fold(0),
    ...[TAGGED, FREQUENT].map((filters) => readAnew(filters)),
    ...[TAGGED, FREQUENT].map((filters) => readAnew(filters)),
  ]);
  expect(Object.fromEntries(ways)).toMatchObject({
    counted: 4,
    'remembered, not known': 1,
    'walk, total not known': 1,
    remembered: 1,
    walk: 1,
  });
});

test('the log keeps what was not yet committed at the oldest fold it reaches back to', async () => {
  await take([
    fold(),
    insert(30),
    fold(),
    { do: 'begin', writer: 1 },
    insert(10, 1),
    insert(5),
    fold(),
    readAnew(TAGGED),
    { do: 'commit', writer: 1 },
    insert(1),
    // What came after the fold before, and no more.
    fold(11),
    { do: 'verify', reader: 0 },
    readAnew(TAGGED),
  ]);
  expect(Object.fromEntries(ways)).toEqual({ counted: 1, remembered: 1 });
});

test('a walk in vain is not tried again', async () => {
  const far = { search: 'olden' };
  await take([fold(), readAnew(far), readAnew(far), readAnew(far), insert(1), readAnew(far, { page: 3 })]);
  expect(Object.fromEntries(ways)).toEqual({ counted: 4, 'walk, in vain': 1 });
});
