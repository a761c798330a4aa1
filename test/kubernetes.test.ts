// The manifests in deploy/kubernetes say what image, routes and settings are, and agree with each other.
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { envSchema, loadEnv } from '../src/config/env.js';
import { DATABASE_WITHIN } from '../src/health/readiness.js';

const ROOT = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const FOLDER = 'deploy/kubernetes/';

/** As much of a manifest as is looked at here. */
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; generateName?: string };
  data: Record<string, string>;
  spec: {
    replicas: number;
    strategy: object;
    maxUnavailable: number;
    selector: Record<string, unknown> & { matchLabels?: Labels };
    ports: { targetPort: string }[];
    template: { metadata: { labels: Labels }; spec: PodSpec };
  };
}

type Labels = Record<string, string>;

interface PodSpec {
  securityContext: object;
  terminationGracePeriodSeconds: number;
  topologySpreadConstraints: { labelSelector: { matchLabels: Labels } }[];
  containers: Container[];
}

interface Probe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold: number;
}

interface Container {
  image: string;
  command?: string[];
  ports: { name: string; containerPort: number }[];
  env: { name: string; valueFrom: { secretKeyRef: { name: string; key: string; optional?: boolean } } }[];
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  securityContext: object;
}

const manifests = readdirSync(new URL(FOLDER, ROOT)).flatMap((name) =>
  parseAllDocuments(read(FOLDER + name), { strict: true, uniqueKeys: true }).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  }),
);

function only(kind: string): Manifest {
  const [found, ...others] = manifests.filter((manifest) => manifest.kind === kind);
  if (!found || others.length > 0) throw new Error(`There is not one ${kind}.`);
  return found;
}

const pods = ['Deployment', 'Job'].map((kind) => only(kind).spec.template);
const containers = pods.flatMap(({ spec }) => spec.containers);
const [service] = only('Deployment').spec.template.spec.containers as [Container];
const podsLabels = only('Deployment').spec.template.metadata.labels;
const dockerfile = read('Dockerfile');

test('there is one of each, of a version that is current', () => {
  expect(Object.fromEntries(manifests.map(({ kind, apiVersion }) => [kind, apiVersion]))).toEqual({
    ConfigMap: 'v1',
    Deployment: 'apps/v1',
    Job: 'batch/v1',
    NetworkPolicy: 'networking.k8s.io/v1',
    PodDisruptionBudget: 'policy/v1',
    Service: 'v1',
  });
  expect(manifests).toHaveLength(6);
});

describe('settings', () => {
  const config = only('ConfigMap').data;
  const secrets = containers.map(({ env }) => env);

  test('are known', () => {
    const names = [...Object.keys(config), ...secrets.flat().map(({ name }) => name)];
    expect(Object.keys(envSchema.shape)).toEqual(expect.arrayContaining(names));
  });

  test('that are secrets come from a Secret, each by its own name; only the migration has the owner of the schema', () => {
    for (const { name, valueFrom } of secrets.flat())
      expect(valueFrom.secretKeyRef).toMatchObject({ name: expect.stringMatching(/^contacts/), key: name });
    const databases = containers.map(({ env }) => env.find(({ name }) => name === 'DATABASE_URL'));
    expect(databases.map((setting) => setting?.valueFrom.secretKeyRef.name)).toEqual([
      'contacts',
      'contacts-owner',
    ]);
    expect(JSON.stringify(config)).not.toMatch(/:\/\/[^"/]*@|SECRET|KEY/);
  });

  test('are enough for production, once the placeholders are replaced', () => {
    for (const env of secrets) {
      const required = env.filter(({ valueFrom }) => !valueFrom.secretKeyRef.optional);
      const given = required.map(({ name }) => [
        name,
        name.endsWith('_URL') ? 'postgres://u:p@db/contacts' : 'x'.repeat(32),
      ]);
      const production: Record<string, string> = {
        NODE_ENV: 'production',
        ...config,
        ...(Object.fromEntries(given) as Record<string, string>),
      };
      expect(() => loadEnv(production)).toThrow('TRUST_PROXY: must be addresses');
      production.TRUST_PROXY = '10.1.2.0/24';
      expect(() => loadEnv(production)).toThrow('still a placeholder');
      const replaced = Object.entries(production).map(([name, value]) => [
        name,
        value.replaceAll('example.com', 'acme.com'),
      ]);
      expect(loadEnv(Object.fromEntries(replaced) as NodeJS.ProcessEnv)).toMatchObject({
        NODE_ENV: 'production',
      });
    }
  });
});

describe('the image', () => {
  test('is the same everywhere, of this version', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    for (const { image } of containers) expect(image).toBe(`registry.example.com/contacts:${version}`);
  });

  test('has the programs that are run', () => {
    const [shell, option, line] = only('Job').spec.template.spec.containers[0]?.command ?? [];
    const [role] = /\w+$/.exec(line ?? '') ?? [];
    expect([shell, option]).toEqual(['sh', '-c']);
    expect(line).toBe(`node dist/migrate.js up && node dist/migrate.js grant ${role}`);
    for (const command of ['up', 'grant'])
      expect(read('src/migrate.ts')).toMatch(new RegExp(`^\\s+${command} `, 'm'));
    // What is started where nothing else is said.
    expect(service.command).toBeUndefined();
    expect(dockerfile).toContain('CMD ["node", "dist/main.js"]');
  });

  test('is reached by those alone who are named', () => {
    const { spec } = only('NetworkPolicy') as unknown as {
      spec: { podSelector: { matchLabels: Labels }; ingress: { ports: { port: string }[] }[] };
    };
    expect(podsLabels).toMatchObject(spec.podSelector.matchLabels);
    expect(spec.ingress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual(
      service.ports.map(({ name }) => name),
    );
  });

  test('listens where it is asked, on every interface', () => {
    const port = /PORT=(\d+)/.exec(dockerfile)?.[1];
    expect(service.ports).toEqual([
      { name: 'http', containerPort: Number(port) },
      { name: 'metrics', containerPort: Number(only('ConfigMap').data.METRICS_PORT) },
    ]);
    expect(dockerfile).toMatch(/ HOST=0\.0\.0\.0 .* METRICS_HOST=0\.0\.0\.0/);
    // Nobody who is let in finds the metrics.
    expect(only('Service').spec.ports).toEqual([expect.objectContaining({ targetPort: 'http' })]);
  });

  test('runs as nobody of importance, and writes nothing', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    for (const { spec } of pods)
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, seccompProfile: {} });
    for (const { securityContext } of containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });
});

test('probes ask routes that there are, for anybody', () => {
  const { paths } = JSON.parse(read('openapi.json')) as {
    paths: Record<string, { get?: { security?: object[] } }>;
  };
  const { startupProbe, livenessProbe, readinessProbe } = service;
  for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
    expect(httpGet.port).toBe('http');
    expect(paths[httpGet.path]?.get).toBeDefined();
    expect(paths[httpGet.path]?.get?.security ?? []).toEqual([]);
  }
  expect(livenessProbe.httpGet.path).toBe('/health/live');
  expect(readinessProbe.httpGet.path).toBe('/health/ready');
});

test('a database that is slow to answer makes no process unready before it is asked again', () => {
  expect(service.readinessProbe.timeoutSeconds * 1_000).toBeGreaterThan(DATABASE_WITHIN);
});

test('one process goes at a time, and only when another has come where that can be arranged', () => {
  const { replicas, strategy } = only('Deployment').spec;
  expect(strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  expect(only('PodDisruptionBudget').spec.maxUnavailable).toBe(1);
  expect(replicas).toBeGreaterThan(1);
});

test('nothing is killed while it starts, and nothing while it drains', () => {
  const { spec } = only('Deployment').spec.template;
  const { DATABASE_START_TIMEOUT_MS, DRAIN_TIMEOUT_MS } = loadEnv({});
  const { periodSeconds, failureThreshold } = service.startupProbe;
  expect(periodSeconds * failureThreshold * 1_000).toBeGreaterThan(DATABASE_START_TIMEOUT_MS);
  expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(DRAIN_TIMEOUT_MS);
});

test('everything chooses the same pods', () => {
  const { topologySpreadConstraints } = only('Deployment').spec.template.spec;
  const choices = [
    only('Deployment').spec.selector.matchLabels,
    only('PodDisruptionBudget').spec.selector.matchLabels,
    only('Service').spec.selector,
    ...topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
  ];
  for (const choice of choices) expect(choice).toEqual(podsLabels);
  expect(only('Job').spec.template.metadata.labels).not.toEqual(podsLabels);
});
