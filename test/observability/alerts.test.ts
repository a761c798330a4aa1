// The dashboard and the alerts ask for what the service exports, in valid PromQL, and each alert says what to do.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { RETRIES } from '../../src/mail/install-queues.js';
import { GOOGLE_REFUSALS } from '../../src/portal/google-refusal.js';
import { Metrics } from '../support/scrape.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
interface Panel {
  title: string;
  type: string;
  targets?: { expr: string; datasource: { uid: string } }[];
}
interface Variable {
  name: string;
  type: string;
  query: string | { query: string };
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(ROOT + path, 'utf8');
const ALERTS = 'deploy/prometheus/alerts.yml';

const alerts = (parse(read(ALERTS)) as { groups: { rules: Alert[] }[] }).groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(read('deploy/grafana/contacts-dashboard.json')) as {
  panels: Panel[];
  templating: { list: Variable[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const variables = dashboard.templating.list;
/** As Grafana fills it in. */
const filled = (expression: string): string => expression.replaceAll('$__rate_interval', '5m');
const queries = [
  ...alerts.map(({ alert, expr }) => [alert, expr]),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, filled(expr)])),
] as [string, string][];

/** The metrics an expression asks for. @throws Error where it is no PromQL. */
function metricsOf(expression: string): string[] {
  const names: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, type, from, to, node: { parent } }) => {
      if (type.isError) throw new Error(`No PromQL at ${from}: ${expression.slice(from, from + 40)}`);
      if (name === 'Identifier' && parent?.name === 'VectorSelector') names.push(expression.slice(from, to));
    },
  });
  return names;
}

let exported: Set<string>;
let metrics: Metrics;
beforeAll(async () => {
  const service = await TestService.start({ METRICS_PORT: '0' });
  // Answers of either kind, whose series are there once they occur.
  await service.api.get('/api/contacts');
  await service.sql('ALTER TABLE contact RENAME TO hidden');
  expect((await service.api.get('/api/contacts?sort=email')).status).toBe(500);
  // What the database tells is left out while it is slow to.
  await waitUntil(async () => (metrics = await Metrics.of(service)).all('contacts_queue_jobs').length > 0);
  exported = metrics.names;
  await service.stop();
});

/** What else than the process, by its name, is asked of the labels of a series: PromQL's patterns have to match all. */
const matchersOf = (expression: string) =>
  [...expression.matchAll(/(\w+)(=~|=)"([^"]*)"/g)]
    .map(([, label = '', operator, value = '']) => ({ label, operator, value }))
    .filter(({ label }) => label !== 'job' && label !== 'instance');

test.each(alerts.filter(({ expr }) => matchersOf(expr).length > 0).map(({ alert, expr }) => [alert, expr]))(
  '%s asks for labels as the service writes them',
  (_name, expression) => {
    for (const { label, operator, value } of matchersOf(expression)) {
      const pattern = new RegExp(`^(?:${value})$`);
      const values = label === 'outcome' ? [...GOOGLE_REFUSALS] : metrics.valuesOf(label);
      const parts = operator === '=' ? [value] : value.split('|');
      expect(
        values.filter((text) => (operator === '=' ? text === value : pattern.test(text))).length,
      ).toBeGreaterThanOrEqual(parts.length);
    }
  },
);

test('a mail is tried again for longer than it takes to page somebody for it', () => {
  const { expr, for: pending } = alerts.find(({ alert }) => alert === 'ContactsMailStuck') as Alert;
  const [, age] = /oldest_seconds\S* > (\d+)/.exec(expr) ?? [];
  const { retryLimit, retryDelay, retryDelayMax } = RETRIES;
  // The shortest that pg-boss waits before each further try.
  const waits = Array.from({ length: retryLimit }, (_, index) =>
    Math.min(retryDelayMax, (retryDelay * 2 ** (index + 1)) / 2),
  );
  const tried = waits.reduce((sum, wait) => sum + wait, 0);
  expect(tried).toBeGreaterThan(Number(age) + Number.parseInt(pending ?? '', 10) * 60);
  // As long as a link lives.
  expect(tried).toBeGreaterThanOrEqual(15 * 60);
});

test.each(queries)('%s asks for metrics that the service exports: %s', (_name, expression) => {
  const names = metricsOf(expression);
  expect(names).not.toEqual([]);
  // Prometheus itself knows whether a process is up.
  expect(names.filter((name) => name !== 'up' && !exported.has(name))).toEqual([]);
});

test('the dashboard shows or an alert watches every metric of ours', () => {
  const asked = new Set(queries.flatMap(([, expression]) => metricsOf(expression)));
  const ours = [...exported].filter(
    (name) => name.startsWith('contacts_') && !/_(sum|count|bucket)$/.test(name),
  );
  const histograms = [...exported].filter((name) => /^contacts_.*_bucket$/.test(name));
  expect([...ours, ...histograms].filter((name) => !asked.has(name))).toEqual([]);
});

describe('the dashboard', () => {
  test('reads from the data source that its user chooses', () => {
    expect(variables[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' });
    const sources = panels.flatMap(({ targets = [] }) => targets.map(({ datasource }) => datasource.uid));
    expect(new Set(sources)).toEqual(new Set(['${datasource}']));
  });

  test('uses no variable that it does not have', () => {
    const used = queries.flatMap(([, expression]) =>
      [...expression.matchAll(/\$(\w+)/g)].map(([, name]) => name),
    );
    const known = variables.map(({ name }) => name);
    expect(new Set(used)).toEqual(new Set(['job', 'instance']));
    expect(known).toEqual(expect.arrayContaining(['job', 'instance']));
  });
});

describe.each(alerts.map((alert) => [alert.alert, alert] as const))('the alert %s', (name, alert) => {
  test('has a heading in docs/operations.md that its runbook leads to', () => {
    expect(alert.annotations.runbook).toBe(`docs/operations.md#${name.toLowerCase()}`);
    expect(read('docs/operations.md')).toMatch(new RegExp(`^### ${name}\n`, 'm'));
  });

  test('says in a sentence what is the matter, and how urgent it is', () => {
    expect(alert.annotations.summary).toMatch(/\.$/);
    expect(['page', 'ticket']).toContain(alert.labels.severity);
  });
});

test('docs/operations.md has a runbook for no alert that there is not', () => {
  const headings = [...read('docs/operations.md').matchAll(/^### (Contacts\w+)$/gm)].map(([, name]) => name);
  expect(headings).toEqual(alerts.map(({ alert }) => alert));
});

test('every metric is explained in docs/operations.md', () => {
  const text = read('docs/operations.md');
  const names = [...exported]
    .filter((name) => name.startsWith('contacts_'))
    .map((name) => name.replace(/_(bucket|sum|count)$/, ''));
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

// Prometheus' own checker, where it is installed; what can be checked without it is checked above.
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
(hasPromtool ? test : test.skip)('Prometheus takes the rules', () => {
  expect(execFileSync('promtool', ['check', 'rules', ROOT + ALERTS], { encoding: 'utf8' })).toContain(
    'SUCCESS',
  );
});

test('no alert takes the questions of balancers for use', () => {
  const asked = alerts.filter(({ expr }) => expr.includes('contacts_http_request_duration_seconds'));
  expect(asked.length).toBeGreaterThan(1);
  for (const { expr } of asked) {
    const selectors = expr.match(/contacts_http_request_duration_seconds_\w+\{[^}]*\}/g) ?? [];
    for (const selector of selectors) expect(selector).toContain('route!~"/health/.*"');
  }
});
