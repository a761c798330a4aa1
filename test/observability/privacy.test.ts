// All that a service tells of itself after it was used and abused: no personal data and no secret, whatever went wrong.
import { beforeAll, expect, test } from '@jest/globals';
import { Collector } from '../support/collector.js';
import { leaks } from '../support/planted.js';
import { PlantedTraffic, ROUTES } from '../support/planted-traffic.js';
import { freePort } from '../support/free-port.js';

interface Line {
  err?: { code?: string };
  method?: string;
  route?: string;
  status?: number;
}

let traffic: PlantedTraffic;
let collector: Collector;
let log: string;
let lines: Line[];
let metrics: string;

beforeAll(async () => {
  collector = await Collector.start();
  const port = String(await freePort());
  traffic = await PlantedTraffic.start({
    METRICS_PORT: port,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
  try {
    await traffic.drive();
    metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  } finally {
    log = await traffic.stop();
    await collector.stop();
  }
  const isJson = (line: string): boolean => line.startsWith('{');
  lines = log.split('\n').filter(isJson).map((line) => JSON.parse(line) as Line); // prettier-ignore
});

test('nothing of what was planted, and nothing that looks like a secret, is in the log', () => {
  expect(traffic.secrets).toHaveLength(8);
  expect(leaks(log, traffic.secrets)).toEqual([]);
});

test('nor in the traces', () => {
  expect(collector.spans.length).toBeGreaterThan(300);
  expect(leaks(collector.received, traffic.secrets)).toEqual([]);
});

test('nor in the metrics', () => {
  expect(metrics).toContain('contacts_http_request_duration_seconds_count');
  expect(leaks(metrics, traffic.secrets)).toEqual([]);
});

test.each(ROUTES.map(({ method, path }) => [method, path.replaceAll(/\{(\w+)\}/g, ':$1')]))(
  'the log tells of %s %s, done and refused',
  (method, route) => {
    const own = lines.filter((line) => line.route === route && line.method === method);
    const statuses = own.map(({ status = 0 }) => status);
    expect(statuses.filter((status) => status < 400)).not.toEqual([]);
    expect(statuses.filter((status) => status >= 400)).not.toEqual([]);
  },
);

test('errors that quote values are told, without them', () => {
  const codes = lines.flatMap(({ err }) => (err?.code ? [err.code] : []));
  expect(codes).toEqual(expect.arrayContaining(['23514', '23505', '22P02', '57014']));
});
