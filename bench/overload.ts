// Several times as many requests as the service can answer: what it still answers, and how it refuses the rest.
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { tidyUp } from './measure.ts';
import { mixedRequests } from './mixed.ts';
import { type Answers, type Crowd, arrive, takeTurns } from './open-loop.ts';
import type { Options } from './options.ts';
import { type Progress, group } from './progress.ts';
import { number } from './report.ts';
import type { Server } from './servers.ts';

const CONNECTIONS = 32;

/** What is to be kept of the peak, and how soon half of the refusals are told, in ms. */
const KEPT_TARGET = 0.8;
const REFUSAL_TARGET = 100;

interface Overload {
  client: pg.Client;
  start: (name: Server['name']) => Promise<Server>;
  options: Options;
}

export async function overload({ client, start, options }: Overload, progress: Progress): Promise<void> {
  const server = await start('service');
  const requests = await mixedRequests(client, options);
  const { seconds, warmUp, overloadFactor: factor } = options;
  const crowd = (): Crowd => ({ server, requests, seconds, unique: unique() });
  progress.begin(`the peak, by ${CONNECTIONS} connections that wait for their answers`);
  await takeTurns({ ...crowd(), seconds: warmUp }, CONNECTIONS);
  const peak = perSecond(await takeTurns(crowd(), CONNECTIONS));
  progress.done(`${group(peak)} requests/s`);
  progress.begin(`${factor} times as many, whether they are answered or not`);
  const answers = await arrive(crowd(), peak * factor);
  progress.done();
  progress.begin('the peak again');
  const after = perSecond(await takeTurns(crowd(), CONNECTIONS));
  progress.done(`${group(after)} requests/s`);
  await tidyUp(client);
  tell({ peak, rate: peak * factor, after, answers }, options);
}

function perSecond({ good, seconds }: Answers): number {
  return good.length / seconds;
}

interface Outcome {
  peak: number;
  rate: number;
  /** The peak again, once the crowd has gone. */
  after: number;
  answers: Answers;
}

function tell({ peak, rate, after, answers }: Outcome, { json, contacts }: Options): void {
  const { good, refused, failed, seconds } = answers;
  const goodPerSecond = perSecond(answers);
  const result = {
    contacts,
    peak,
    offered: rate,
    good: { perSecond: goodPerSecond, share: goodPerSecond / peak, ...percentiles(good) },
    refused: { perSecond: refused.length / seconds, ...percentiles(refused) },
    failed,
    after,
  };
  if (json === '-') return void process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  const { share } = result.good;
  const mark = (reached: boolean): string => (reached ? '✓' : '✗');
  process.stdout.write(`
peak            ${number(peak)} req/s by ${CONNECTIONS} connections
offered         ${number(rate)} req/s
good answers    ${number(goodPerSecond)} req/s, ${(share * 100).toFixed(0)} % of the peak ${mark(share >= KEPT_TARGET)}, ${times(good)}
refused         ${number(result.refused.perSecond)} req/s, ${times(refused)} ${mark(percentiles(refused).p50 < REFUSAL_TARGET)}
failed          ${failures(failed)}
peak afterwards ${number(after)} req/s
`);
}

function percentiles(all: readonly number[]): { p50: number; p99: number } {
  const sorted = all.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function failures(failed: Answers['failed']): string {
  const kinds = Object.entries(failed).map(([status, count]) => `${count} of status ${status}`);
  return kinds.join(', ') || 'none';
}

function times(all: readonly number[]): string {
  const { p50, p99 } = percentiles(all);
  return `p50 ${number(p50)} ms, p99 ${number(p99)} ms`;
}

const unique = (): string => `o${randomBytes(4).toString('hex')}n`;
