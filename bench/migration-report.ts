// What was measured of a migration, as tables for people and for machines.
import { CLIENTS, type Kind, type Usage, type Waits } from './in-use.ts';
import type { Step } from './migration-steps.ts';
import type { Options } from './options.ts';
import { group } from './progress.ts';
import { aligned, number } from './report.ts';
import { tellResults } from './tell.ts';

/** No read and no write takes longer, whatever is migrated meanwhile. */
const LONGEST_MS = 1_000;

type Span = Omit<Step, 'title'>;

export interface Course {
  before: Span;
  during: Span;
  after: Span;
  steps: Step[];
  fill: { rows: number; brokenOffAt: number };
}

interface Measured {
  usage: Usage;
  course: Course;
  secondsDown: number;
}

type Use = Record<Kind, Waits> & { seconds: number };

export function tellMigration({ usage, course, secondsDown }: Measured, options: Options): void {
  const { contacts } = options;
  const used = ({ from, to }: Span): Use => ({
    seconds: (to - from) / 1000,
    read: usage.waits('read', from, to),
    write: usage.waits('write', from, to),
  });
  const steps = course.steps.map((step) => ({ title: step.title, ...used(step) }));
  const filling = steps.filter(({ title }) => title.startsWith('search documents'));
  const { rows, brokenOffAt } = course.fill;
  const results = {
    version: 1,
    contacts,
    before: used(course.before),
    during: used(course.during),
    after: used(course.after),
    steps,
    fill: { rows, brokenOffAt, rowsPerSecond: rows / filling.reduce((sum, { seconds }) => sum + seconds, 0) },
    secondsDown,
    longestMs: LONGEST_MS,
  };
  tellResults(options, results, () => text(results));
}

interface Results {
  contacts: number;
  before: Use;
  during: Use;
  after: Use;
  steps: (Use & { title: string })[];
  fill: { rows: number; brokenOffAt: number; rowsPerSecond: number };
  secondsDown: number;
}

function text({ contacts, before, during, after, steps, fill, secondsDown }: Results): string {
  const phases = aligned([
    ['', 'reads', 'p50 ms', 'p99 ms', 'longest', 'writes', 'p50 ms', 'p99 ms', 'longest', ''],
    ...Object.entries({ before, during, after }).map(([name, use]) => [
      name,
      ...figures(use.read),
      ...figures(use.write),
      verdict(use),
    ]),
  ]);
  const table = aligned([
    ['step', 's', 'longest read ms', 'longest write ms', ''],
    ...steps.map((step) => [
      step.title,
      number(step.seconds),
      longest(step.read),
      longest(step.write),
      verdict(step),
    ]),
  ]);
  return `${group(contacts)} contacts, used by ${CLIENTS} readers and ${CLIENTS} writers; migrated in ${number(during.seconds)} s

${phases}

${table}

The fill went through ${group(fill.rows)} rows, ${group(fill.rowsPerSecond)} a second; it was killed after ${group(fill.brokenOffAt)} and went on from there.
Counts, totals and documents agree with the contacts, and no index is invalid. All of it was undone in ${number(secondsDown)} s.`;
}

const figures = (waits: Waits): string[] => [
  group(waits.count),
  number(waits.p50),
  number(waits.p99),
  longest(waits),
];

const longest = ({ count, longest: ms }: Waits): string => number(count === 0 ? null : ms);

const verdict = ({ read, write }: Use): string =>
  Math.max(read.longest, write.longest) < LONGEST_MS ? '✓' : `✗ (under ${group(LONGEST_MS)} ms)`;
