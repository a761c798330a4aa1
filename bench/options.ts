// The command line: what may be asked for, and a sentence for what may not.
import { parseArgs } from 'node:util';
import { closest, distance } from 'fastest-levenshtein';
import { OPERATION_KEYS, type OperationKey } from './operations.ts';

export const USAGE = `Usage: npm run bench -- [options]

Measures the built service and two baselines on one database, operation by operation.

  --quick             100,000 contacts, short rounds: about three minutes in all
  --contacts <n>      size of the data set (1000000)
  --operations <a,b>  some of ${OPERATION_KEYS.join(', ')} (all)
  --rounds <n>        how often each server does each operation, in turns (3)
  --seconds <n>       how long each time (5); slow servers get longer, to answer at all
  --warm-up <n>       seconds of load before each time (2)
  --fresh             generates the data anew, though an earlier run's would do

  --json <file>       writes the results for machines; - for standard output
  --chart <file.svg>  draws requests per second
  --compare <file>    compares with the --json of an earlier run

Instead of the comparison with the baselines:
  --writes            64 writers at once, with and without the triggers that keep counts and search documents
  --soak <minutes>    mixed load on the service, and what becomes of its memory
  --overload <times>  so many times as many requests as the service answers at its peak, and what it makes of them
                      (--behind-haproxy: before it HAProxy as deploy/ has it, where that is installed)
  --physical          the service's own statements under pgbench, where that is installed
  --sizes             what tables and indexes take on disk, per million contacts
  --growth <n,n,...>  the service alone on data sets of these sizes: what becomes of each operation as they grow
  --migration         the migrations that add the log of changes, on a full table in use: how long anybody waits

The database is made on the server of DATABASE_URL, by a role that may create databases, as contacts_bench_<n>;
without DATABASE_URL on an embedded PostgreSQL in .bench/. It is kept, and found again by the next run; that of
--migration is not.

Exit codes: 0 measured, 1 failed or the servers disagree, 2 not understood.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  quick: { type: 'boolean' },
  fresh: { type: 'boolean' },
  writes: { type: 'boolean' },
  physical: { type: 'boolean' },
  sizes: { type: 'boolean' },
  migration: { type: 'boolean' },
  contacts: { type: 'string' },
  operations: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  json: { type: 'string' },
  chart: { type: 'string' },
  compare: { type: 'string' },
  soak: { type: 'string' },
  overload: { type: 'string' },
  'behind-haproxy': { type: 'boolean' },
  growth: { type: 'string' },
} as const;

/** Instead of the comparison. */
const MODES = ['writes', 'soak', 'overload', 'physical', 'sizes', 'growth', 'migration'] as const;

export interface Options {
  help: boolean;
  fresh: boolean;
  contacts: number;
  operations: OperationKey[];
  rounds: number;
  /** Per measurement. */
  seconds: number;
  warmUp: number;
  json?: string;
  chart?: string;
  compare?: string;
  mode: 'compare' | (typeof MODES)[number];
  soakMinutes: number;
  overloadFactor: number;
  behindHaproxy: boolean;
  /** Numbers of contacts, from the smallest on; empty when growth is not what is measured. */
  growthSizes: number[];
}

/** What the words of a command line ask for cannot be done. */
export class UsageError extends Error {}

/** @throws UsageError naming the option at fault. */
export function readOptions(args: string[]): Options {
  const values = parsed(args);
  const quick = values.quick === true;
  const modes = MODES.filter((name) => values[name] !== undefined);
  if (modes.length > 1) throw new UsageError(`--${modes.join(' and --')} are measured one at a time.`);
  if (values['behind-haproxy'] && modes[0] !== 'overload')
    throw new UsageError('--behind-haproxy goes together with --overload.');
  if (values.chart !== undefined && !values.chart.endsWith('.svg')) {
    throw new UsageError('--chart takes the name of an .svg file.');
  }
  const [mode = 'compare'] = modes;
  for (const name of ['chart', 'compare'] as const)
    if (mode !== 'compare' && values[name] !== undefined)
      throw new UsageError(`--${name} is for the comparison with the baselines, not for --${mode}.`);
  if (values.compare !== undefined && values.json === '-')
    throw new UsageError(
      '--compare prints a table, where --json - prints JSON: name a file for one of them.',
    );
  return {
    help: values.help === true,
    fresh: values.fresh === true,
    contacts: contacts('contacts', values.contacts ?? (quick ? '100000' : '1000000')),
    operations: operations(values.operations),
    rounds: whole('rounds', values.rounds ?? (quick ? '2' : '3'), 1, 100),
    seconds: whole('seconds', values.seconds ?? (quick ? '2' : '5'), 1, 600),
    warmUp: whole('warm-up', values['warm-up'] ?? (quick ? '1' : '2'), 0, 60),
    json: values.json,
    chart: values.chart,
    compare: values.compare,
    mode,
    soakMinutes: whole('soak', values.soak ?? '10', 1, 24 * 60),
    overloadFactor: whole('overload', values.overload ?? '5', 1, 100),
    behindHaproxy: values['behind-haproxy'] === true,
    growthSizes: [...new Set(values.growth?.split(','))]
      .map((text) => contacts('growth', text.trim()))
      .toSorted((one, other) => one - other),
  };
}

function parsed(args: string[]) {
  const { tokens } = parseArgs({ args, options: OPTIONS, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`${token.value} is not an option.`);
    if (token.kind === 'option' && !(token.name in OPTIONS)) throw unknownOption(token.name);
  }
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function unknownOption(name: string): UsageError {
  const guess = closest(name, Object.keys(OPTIONS));
  const hint = distance(name, guess) <= 3 ? `; did you mean --${guess}?` : '.';
  return new UsageError(`There is no option --${name}${hint}`);
}

function contacts(name: string, text: string): number {
  return whole(name, text, 1_000, 30_000_000);
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

function operations(text: string | undefined): OperationKey[] {
  if (text === undefined) return [...OPERATION_KEYS];
  const named = text.split(',').map((word) => word.trim());
  const unknown = named.find((word) => !OPERATION_KEYS.includes(word as OperationKey));
  if (unknown !== undefined) {
    throw new UsageError(
      `--operations: there is no operation ${JSON.stringify(unknown)}; choose from ${OPERATION_KEYS.join(', ')}.`,
    );
  }
  return OPERATION_KEYS.filter((key) => named.includes(key));
}
