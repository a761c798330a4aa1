// Several times as many requests as the service can answer: what it still answers, and how it refuses the rest.
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { behindHaproxy } from './balancer.ts';
import { tidyUp } from './measure.ts';
import { mixedRequests } from './mixed.ts';
import { type Answers, type Crowd, arrive, takeTurns } from './open-loop.ts';
import type { Request } from './operations.ts';
import type { Options } from './options.ts';
import { type Progress, group } from './progress.ts';
import { number } from './report.ts';
import type { Server } from './servers.ts';
import { tellResults } from './tell.ts';

const CONNECTIONS = 32;

/** What is to be kept of the peak, and how soon half of the refusals are told, in ms. */
const KEPT_TARGET = 0.8;
const REFUSAL_TARGET = 100;

interface Overload {
  client: pg.Client;
  start: (name: Server['name']) => Promise<Server>;
  options: Options;
}

/** One peak and then a crowd, in turns, so that a machine that is slower for a while is so for both. */
export async function overload({ client, start, options }: Overload, progress: Progress): Promise<void> {
  const requests = await mixedRequests(client, options);
  const process = await start('service');
  const server = options.behindHaproxy ? await behindHaproxy(process) : process;
  try {
    tell(await measure(server, requests, options, progress), options);
  } finally {
    await server.stop();
    await tidyUp(client);
  }
}

async function measure(
  server: Server,
  requests: readonly Request[],
  { seconds, warmUp, overloadFactor: factor, rounds }: Options,
  progress: Progress,
): Promise<Outcome> {
  const crowd = (): Crowd => ({ server, requests, seconds, unique: unique() });
  await takeTurns({ ...crowd(), seconds: warmUp }, CONNECTIONS);
  const outcome: Outcome = { peaks: [], crowds: [] };
  for (let round = 0; ; round += 1) {
    progress.begin(`the peak, by ${CONNECTIONS} connections that wait for their answers`);
    const peak = goodPerSecond(await takeTurns(crowd(), CONNECTIONS));
    outcome.peaks.push(peak);
    progress.done(`${group(peak)} requests/s`);
    if (round === rounds) return outcome;
    progress.begin(`${factor} times as many, whether they are answered or not`);
    const answers = await arrive(crowd(), peak * factor);
    outcome.crowds.push({ ...answers, offered: peak * factor });
    progress.done(`${group(goodPerSecond(answers))} good answers/s`);
  }
}

function goodPerSecond({ good, seconds }: Answers): number {
  return good.length / seconds;
}

interface Outcome {
  /** Good answers a second: before each crowd, and after the last. */
  readonly peaks: number[];
  readonly crowds: (Answers & { readonly offered: number })[];
}

function tell({ peaks, crowds }: Outcome, options: Options): void {
  const [peak, offered] = [mean(peaks), mean(crowds.map((crowd) => crowd.offered))];
  const good = rates(crowds, (crowd) => crowd.good);
  const refused = rates(crowds, (crowd) => crowd.refused);
  const share = good.perSecond / peak;
  const failed = failures(crowds);
  const { contacts } = options;
  const result = { contacts, peak, peaks, offered, good: { ...good, share }, refused, failed };
  const mark = (reached: boolean): string => (reached ? '✓' : '✗');
  const kinds = Object.entries(failed).map(([status, count]) => `${count} of status ${status}`);
  const text = `peak            ${number(peak)} req/s by ${CONNECTIONS} connections: ${peaks.map(number).join(', ')}
offered         ${number(offered)} req/s
good answers    ${described(good)}, ${(share * 100).toFixed(0)} % of the peak ${mark(share >= KEPT_TARGET)}
refused         ${described(refused)} ${mark(refused.p50 < REFUSAL_TARGET)}
failed          ${kinds.join(', ') || 'none'}`;
  tellResults(options, result, () => text);
}

interface Rates {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

function rates(crowds: readonly Answers[], of: (answers: Answers) => readonly number[]): Rates {
  const sorted = crowds.flatMap((crowd) => of(crowd)).toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const seconds = crowds.reduce((sum, crowd) => sum + crowd.seconds, 0);
  return { perSecond: sorted.length / seconds, p50: at(0.5), p99: at(0.99) };
}

function described({ perSecond, p50, p99 }: Rates): string {
  return `${number(perSecond)} req/s, p50 ${number(p50)} ms, p99 ${number(p99)} ms`;
}

/** How many had each status that is neither good nor a refusal; 0 is no answer at all. */
function failures(crowds: readonly Answers[]): Answers['failed'] {
  const sum: Answers['failed'] = {};
  for (const [status, count] of crowds.flatMap(({ failed }) => Object.entries(failed)))
    sum[Number(status)] = (sum[Number(status)] ?? 0) + count;
  return sum;
}

const mean = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;

const unique = (): string => `o${randomBytes(4).toString('hex')}n`;
