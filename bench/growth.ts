// The cost of growth: the service on data sets of several sizes, operation by operation, each size in turn.
import type pg from 'pg';
import { connect } from './connection.ts';
import { findPostmaster } from './cpu.ts';
import { prepareDatabase } from './data/database.ts';
import { type Sample, measureOne, rotated, tidyUp } from './measure.ts';
import {
  OPERATIONS,
  type Operation,
  type OperationKey,
  type Request,
  isWrite,
  requestsOf,
} from './operations.ts';
import type { Options } from './options.ts';
import { type Progress, group } from './progress.ts';
import { aligned, number } from './report.ts';
import { type Numbers, medians } from './results.ts';
import { chooseSamples } from './samples.ts';
import { PATIENT, type Server, createKey, startServer } from './servers.ts';
import { tellResults } from './tell.ts';

/** So many times slower at most, from one size to the next. */
const TARGET = 1.3;
/** Those that find more as contacts grow, and whose work is in proportion to it. */
const BY_MATCHES: readonly OperationKey[] = ['d1', 'd2'];

interface Growth {
  serverUrl: string;
  options: Options;
  undo: (() => Promise<void>)[];
}

/** One size of the data set, with a service on it. */
interface Grown {
  contacts: number;
  client: pg.Client;
  postmaster: number | null;
  server: Server;
  requests: Map<OperationKey, Request[]>;
}

export async function measureGrowth({ serverUrl, options, undo }: Growth, progress: Progress): Promise<void> {
  const { growthSizes: sizes, rounds, seconds, warmUp } = options;
  const operations = chosen(options);
  const all: Grown[] = [];
  for (const contacts of sizes) all.push(await grown({ serverUrl, options, undo }, contacts, progress));

  const samples: (Sample & { contacts: number })[] = [];
  const of = rounds * operations.length * sizes.length;
  progress.begin('measuring');
  for (let round = 0; round < rounds; round += 1) {
    for (const operation of operations) {
      for (const { contacts, server, requests, ...database } of rotated(all, round)) {
        const turn = { server, operation, requests: requests.get(operation.key) ?? [], seconds };
        const sample = await measureOne(database, { ...turn, warmUp });
        samples.push({ contacts, ...sample });
        if (isWrite(operation)) await tidyUp(database.client);
        progress.step(samples.length, of, `round ${round + 1}, ${operation.key}, ${group(contacts)}`);
      }
    }
  }
  progress.done();
  const results = operations.map(({ key, title }) => ({
    operation: key,
    title,
    sizes: sizes.map((contacts) => ({
      contacts,
      ...medians(samples.filter((sample) => sample.operation === key && sample.contacts === contacts)),
    })),
  }));
  tell(results, options);
}

const chosen = (options: Options): Operation[] =>
  OPERATIONS.filter(({ key }) => options.operations.includes(key));

async function grown(
  { serverUrl, options, undo }: Growth,
  contacts: number,
  progress: Progress,
): Promise<Grown> {
  const url = await prepareDatabase({ serverUrl, contacts, fresh: options.fresh }, progress);
  const client = await connect(url);
  undo.push(() => client.end());
  await tidyUp(client);
  const server = await startServer('service', url, await createKey(url), PATIENT);
  undo.push(() => server.stop());
  const samples = await chooseSamples(client, contacts);
  const requests = new Map(
    chosen(options).map((operation) => [operation.key, requestsOf(operation, samples)]),
  );
  return { contacts, client, postmaster: await findPostmaster(client), server, requests };
}

interface GrowthResult {
  operation: OperationKey;
  title: string;
  /** From the smallest on. */
  sizes: ({ contacts: number } & Numbers)[];
}

function tell(results: readonly GrowthResult[], options: Options): void {
  const headings = ['operation', '', ...options.growthSizes.map((contacts) => `${group(contacts)} contacts`)];
  const rows = results.flatMap(({ operation, title, sizes }) => [
    [`${operation}. ${title}`, 'req/s', ...sizes.map((size, at) => rate(operation, size, sizes[at - 1]))],
    ['', 'p50 / p99 ms', ...sizes.map(({ p50, p99 }) => `${number(p50)} / ${number(p99)}`)],
    [
      '',
      'CPU / db ms',
      ...sizes.map(({ serverCpu, databaseCpu }) => `${number(serverCpu)} / ${number(databaseCpu)}`),
    ],
  ]);
  const note = `Slower at most ${TARGET}× from one size to the next, ${BY_MATCHES.join(' and ')} by its matches.`;
  tellResults(options, results, () => `${aligned([headings, ...rows])}\n\n${note}`);
}

/** Requests per second, and how many times slower that is than at the size before. */
function rate(operation: OperationKey, size: Numbers, before: Numbers | undefined): string {
  const text = number(size.requestsPerSecond);
  if (!before) return text;
  const slower = before.requestsPerSecond / size.requestsPerSecond;
  const verdict = BY_MATCHES.includes(operation) ? '' : slower <= TARGET ? ' ✓' : ' ✗';
  return `${text} (${slower.toFixed(2)}× slower${verdict})`;
}
