// Mixed load on the service for minutes, and what becomes of its memory.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { residentMemory } from './cpu.ts';
import { measure } from './load.ts';
import { tidyUp } from './measure.ts';
import { mixedRequests } from './mixed.ts';
import type { Options } from './options.ts';
import type { Progress } from './progress.ts';
import { number } from './report.ts';
import type { Server } from './servers.ts';
import { tellResults } from './tell.ts';

const CONNECTIONS = 32;
const SAMPLE_EVERY_MS = 5_000;
/** Until the process has reached its size. */
const SETTLING_SHARE = 0.2;

interface Soak {
  client: pg.Client;
  start: (name: Server['name']) => Promise<Server>;
  options: Options;
}

export async function soak({ client, start, options }: Soak, progress: Progress): Promise<void> {
  const server = await start('service');
  const requests = await mixedRequests(client, options);
  const seconds = options.soakMinutes * 60;
  progress.begin(`mixed load for ${options.soakMinutes} minutes`);
  const memory: { minutes: number; megabytes: number }[] = [];
  const over = new AbortController();
  const started = performance.now();
  const watching = watch();
  const measured = await measure({
    server,
    requests,
    connections: CONNECTIONS,
    seconds,
    unique: 'soak',
  }).finally(() => over.abort());
  await watching;
  await tidyUp(client);
  progress.done();
  tell(measured, memory, options);

  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      const minutes = (performance.now() - started) / 60_000;
      const megabytes = residentMemory(server.pid);
      if (megabytes !== null) memory.push({ minutes, megabytes });
      progress.step(minutes * 60, seconds, megabytes === null ? '' : `${Math.round(megabytes)} MB`);
      await sleep(SAMPLE_EVERY_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  }
}

function tell(
  measured: Awaited<ReturnType<typeof measure>>,
  memory: readonly { minutes: number; megabytes: number }[],
  options: Options,
): void {
  const sizes = memory.map(({ megabytes }) => megabytes);
  const settled = memory.slice(Math.floor(memory.length * SETTLING_SHARE));
  const result = {
    minutes: options.soakMinutes,
    requestsPerSecond: measured.requestsPerSecond,
    p50: measured.p50,
    p99: measured.p99,
    memory: {
      first: sizes[0] ?? null,
      last: sizes.at(-1) ?? null,
      max: sizes.length > 0 ? Math.max(...sizes) : null,
      slope: slope(settled),
    },
  };
  const { first, last, max, slope: growth } = result.memory;
  tellResults(
    options,
    result,
    () =>
      `${number(measured.requestsPerSecond)} req/s, p50 ${number(measured.p50)} ms, p99 ${number(measured.p99)} ms\n` +
      `memory of the process (MB): first ${number(first)}, last ${number(last)}, max ${number(max)}, ` +
      `growth ${growth === null ? '–' : growth.toFixed(2)} a minute after the first ${SETTLING_SHARE * 100} %`,
  );
}

/** Megabytes per minute, by least squares. */
function slope(points: readonly { minutes: number; megabytes: number }[]): number | null {
  if (points.length < 3) return null;
  const mean = (pick: (point: { minutes: number; megabytes: number }) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean(({ minutes }) => minutes), mean(({ megabytes }) => megabytes)];
  const covariance = mean(({ minutes, megabytes }) => (minutes - x) * (megabytes - y));
  return covariance / mean(({ minutes }) => (minutes - x) ** 2);
}
