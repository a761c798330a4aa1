// What was measured, summed up: medians over the rounds, and what they are beside the baselines.
import type { Sample } from './measure.ts';
import { OPERATIONS, type OperationKey } from './operations.ts';
import { SERVER_NAMES, type ServerName } from './servers.ts';

export type Numbers = Omit<Sample, 'operation' | 'server'>;
export type Baseline = Exclude<ServerName, 'service'>;

export interface OperationResult {
  operation: OperationKey;
  title: string;
  connections: number;
  servers: Record<ServerName, Numbers>;
  /** The service's requests per second as a multiple of each baseline's; null where that has not answered in time at all. */
  ratios: Record<Baseline, number | null>;
  targets: Partial<Record<Baseline, number>>;
}

/** What --json writes and --compare reads. */
export interface Results {
  version: 1;
  at: string;
  contacts: number;
  rounds: number;
  seconds: number;
  load: string;
  node: string;
  processors: string;
  /** Settings of the database server. */
  database: Record<string, string>;
  /** How many requests all three answered alike before anything was measured. */
  agreed: number;
  operations: OperationResult[];
}

/** At most so many times as long as half of them may the slowest hundredth take. */
export const TAIL_TARGET = 4;

export function summarize(samples: readonly Sample[]): OperationResult[] {
  return OPERATIONS.filter(({ key }) => samples.some(({ operation }) => operation === key)).map(
    ({ key, title, connections, targets }) => {
      const of = (server: ServerName): Numbers =>
        medians(samples.filter((sample) => sample.operation === key && sample.server === server));
      const servers = Object.fromEntries(SERVER_NAMES.map((name) => [name, of(name)])) as Record<
        ServerName,
        Numbers
      >;
      const ratio = (baseline: Baseline): number | null => {
        const { requestsPerSecond } = servers[baseline];
        return requestsPerSecond === 0 ? null : servers.service.requestsPerSecond / requestsPerSecond;
      };
      const ratios = { 'fastify-pg': ratio('fastify-pg'), 'nest-typeorm': ratio('nest-typeorm') };
      return { operation: key, title, connections, servers, ratios, targets };
    },
  );
}

export function medians(samples: readonly Sample[]): Numbers {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  const known = (pick: (sample: Sample) => number | null): number | null => {
    const values = samples.map(pick).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  return {
    requestsPerSecond: of((sample) => sample.requestsPerSecond),
    p50: of((sample) => sample.p50),
    p99: of((sample) => sample.p99),
    serverCpu: known((sample) => sample.serverCpu),
    databaseCpu: known((sample) => sample.databaseCpu),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const [low, high] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ];
  return ((low ?? 0) + (high ?? 0)) / 2;
}
