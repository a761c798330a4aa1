// What a process remembers of buckets while the database has not answered yet, and when there are too many of them.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { RateLimitsRepository } from '../../src/auth/rate-limits.repository.js';
import { SharedBuckets } from '../../src/auth/shared-buckets.js';

const CAPACITY = 10_000;
const WINDOW = 60_000;

/** A database that answers when it is let, and keeps full buckets apart from what it was told. */
class HeldDatabase {
  readonly told = new Map<string, number>();
  calls = 0;
  isHeld = false;
  private readonly held: (() => void)[] = [];
  private failure?: Error;

  async take(names: readonly string[], taken: readonly number[]): Promise<Map<string, number>> {
    // Whoever asks on and on for what is not answered would do it for ever.
    if ((this.calls += 1) > 1_000) throw new Error('asked without an end');
    if (this.isHeld) await new Promise<void>((resolve) => this.held.push(resolve));
    if (this.failure) throw this.failure;
    for (const [index, name] of names.entries())
      this.told.set(name, (this.told.get(name) ?? 0) + (taken[index] ?? 0));
    return new Map(names.map((name) => [name, this.told.get(name) ?? 0]));
  }

  release(failure?: Error): void {
    this.failure = failure;
    this.isHeld = false;
    for (const answer of this.held.splice(0)) answer();
  }

  async sweep(): Promise<void> {}
  async close(): Promise<void> {}
}

let database: HeldDatabase;
let buckets: SharedBuckets;
beforeEach(() => {
  database = new HeldDatabase();
  buckets = new SharedBuckets(database as unknown as RateLimitsRepository);
  guardAgainstSpinning();
});
afterEach(async () => {
  await buckets.onApplicationShutdown();
  jest.restoreAllMocks();
});

/** A loop that waits for nothing lets no timer run, that of the test included: it ends here. */
function guardAgainstSpinning(): void {
  const guarded = buckets as unknown as { tell: () => Promise<void> };
  const tell = guarded.tell.bind(buckets);
  let times = 0;
  guarded.tell = () => {
    if ((times += 1) > 2_000) throw new Error('tells without an end');
    return tell();
  };
}

/** Others are asked for, as many at a time as there are requests, until so many are remembered. */
async function fill(prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  for (let at = 0; at < count; at += 500)
    await Promise.all(names.slice(at, at + 500).map((name) => buckets.take(name, 100)));
}

/** Requests of one caller, of which a few go on and the others wait for the database, which does not answer yet. */
function takeMany(name: string): Promise<unknown> {
  database.isHeld = true;
  return Promise.all(Array.from({ length: 12 }, () => buckets.take(name, 100)));
}

test('of a limit of a hundred a hundred are granted, all of them told', async () => {
  const taken = await Promise.all(Array.from({ length: 120 }, () => buckets.take('a', 100)));
  expect(taken.filter(({ isGranted }) => isGranted)).toHaveLength(100);
  expect(database.told.get('a')).toBeCloseTo(WINDOW, -2);
});

test.each([
  ['answers', undefined],
  ['fails', new Error('away')],
])('a bucket in use is not given up for a new one, and the database %s', async (_name, failure) => {
  await buckets.take('oldest', 100);
  await fill('other', CAPACITY - 1);
  const waiting = takeMany('oldest');
  const others = Promise.all([buckets.take('new', 100), buckets.take('oldest', 100)]);
  database.release(failure);
  await Promise.all([waiting, others]);
  database.release();
  // All thirteen and the one before are counted still.
  expect((await buckets.take('oldest', 100)).left).toBeLessThanOrEqual(86);
});

test('one that is forgotten all the same while requests wait for it is asked for anew', async () => {
  // So many of the oldest are in use that none of which all is told is found among them.
  await fill('used', 200);
  await fill('other', CAPACITY - 200);
  database.isHeld = true;
  const waiting = Array.from({ length: 200 }, (_, index) =>
    [0, 1, 2, 3, 4, 5, 6].map(() => buckets.take(`used${index}`, 100)),
  );
  const others = ['new1', 'new2', 'new3'].map((name) => buckets.take(name, 100));
  database.release();
  const taken = await Promise.all([...waiting.flat(), ...others]);
  expect(taken.every(({ isGranted }) => isGranted)).toBe(true);
});

test('what refills while the database is away is not owed when it is back', async () => {
  const now = jest.spyOn(performance, 'now');
  let time = 1_000_000;
  now.mockImplementation(() => time);
  await buckets.take('a', 100);
  database.isHeld = true;
  database.release(new Error('away'));
  // Ten minutes at half of the limit.
  for (let count = 0; count < 500; count += 1) {
    await buckets.take('a', 100);
    time += 1_200;
  }
  const before = database.told.get('a') ?? 0;
  database.release();
  await buckets.onApplicationShutdown();
  expect((database.told.get('a') ?? 0) - before).toBeLessThanOrEqual(WINDOW / 100);
});
