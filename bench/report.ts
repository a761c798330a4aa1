// The results as a table for people, and beside those of an earlier run.
import { readFileSync } from 'node:fs';
import { type Baseline, type OperationResult, type Results, TAIL_TARGET } from './results.ts';
import { SERVER_NAMES } from './servers.ts';

const HEADINGS = [
  'operation',
  'server',
  'req/s',
  'p50 ms',
  'p99 ms',
  'p99/p50',
  'CPU ms',
  'db ms',
  'service is',
];

/** A row per operation and server; what the service is beside a baseline stands in the baseline's row. */
export function table({ operations }: Results): string {
  const rows = operations.flatMap((result) => SERVER_NAMES.map((name) => row(result, name)));
  return aligned([HEADINGS, ...rows]);
}

function row(result: OperationResult, name: (typeof SERVER_NAMES)[number]): string[] {
  const { requestsPerSecond, p50, p99, serverCpu, databaseCpu } = result.servers[name];
  const isService = name === 'service';
  const tail = p50 > 0 ? p99 / p50 : 0;
  return [
    isService ? `${result.operation}. ${result.title}` : '',
    name,
    number(requestsPerSecond),
    number(p50),
    number(p99),
    isService ? `${tail.toFixed(1)} ${mark(tail <= TAIL_TARGET)}` : `${tail.toFixed(1)}  `,
    number(serverCpu),
    number(databaseCpu),
    isService ? '' : beside(result, name),
  ];
}

function beside({ ratios, targets }: OperationResult, baseline: Baseline): string {
  const [target, ratio] = [targets[baseline], ratios[baseline]];
  if (ratio === null) return 'no answer in time';
  const times = `${number(ratio)}×`;
  return target === undefined ? times : `${times} ${mark(ratio >= target)} (at least ${target}×)`;
}

/** What became of the service since an earlier run, absolutely and beside the baselines of either run. */
export function comparison(now: Results, earlier: Results): string {
  const rows = now.operations.flatMap((result) => {
    const before = earlier.operations.find(({ operation }) => operation === result.operation);
    if (!before) return [];
    const times = (pick: (of: OperationResult) => number | null): string => {
      const [value, earlierValue] = [pick(result), pick(before)];
      return value === null || !earlierValue ? '–' : `${(value / earlierValue).toFixed(2)}×`;
    };
    return [
      [
        `${result.operation}. ${result.title}`,
        number(before.servers.service.requestsPerSecond),
        number(result.servers.service.requestsPerSecond),
        times(({ servers }) => servers.service.requestsPerSecond),
        times(({ ratios }) => ratios['fastify-pg']),
        times(({ ratios }) => ratios['nest-typeorm']),
        times(({ servers }) => servers.service.p99),
      ],
    ];
  });
  const headings = ['operation', 'then', 'now', 'req/s', 'to fastify-pg', 'to nest-typeorm', 'p99'];
  const others = (['contacts', 'rounds', 'seconds', 'load', 'node', 'processors'] as const)
    .filter((name) => now[name] !== earlier[name])
    .map((name) => `${name} ${earlier[name]}`);
  const difference = others.length === 0 ? '' : `, measured otherwise (${others.join(', ')})`;
  return `Since ${earlier.at}${difference}:\n\n${aligned([headings, ...rows])}`;
}

/** @throws Error when the file holds no results. */
export function readResults(path: string): Results {
  const results = JSON.parse(readFileSync(path, 'utf8')) as Partial<Results>;
  if (results.version !== 1 || !Array.isArray(results.operations)) {
    throw new Error(`${path} holds no results of this bench: --json writes them.`);
  }
  return results as Results;
}

/** Three significant digits, or all of a large number. */
export function number(value: number | null): string {
  if (value === null) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const mark = (good: boolean): string => (good ? '✓' : '✗');

/** Words to the left, numbers to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? '').length)),
  );
  const numeric = widths.map((_, column) =>
    rows.slice(1).some((cells) => /^[\d–.]/.test(cells[column] ?? '')),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, column) =>
          numeric[column] && column < cells.length - 1
            ? cell.padStart(widths[column] ?? 0)
            : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
