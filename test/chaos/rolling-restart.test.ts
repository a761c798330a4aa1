// Three processes behind the balancers of deploy/, each restarted in turn under load: nobody notices.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCompany } from '../support/factories.js';
import { findProgram } from '../support/find-program.js';
import { freePort } from '../support/free-port.js';
import { RunningService } from '../support/running-service.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';
import { Balancer, type Kind, readConfig } from './balancer.js';
import { Traffic, isLong, report } from './traffic.js';

const PROCESSES = 3;
const CLIENTS = 6;
const ROUNDS = isLong ? 5 : 1;
const TIMEOUT = ROUNDS * 600_000;

let beside: TestService;
let key: string;
let ports: number[];
let services: RunningService[];
beforeAll(async () => {
  beside = await TestService.start();
  const scopes = ['contacts:read', 'contacts:write'];
  key = (await beside.api.post('/api/keys', { name: 'chaos', scopes })).body.data.key;
  ports = [await freePort(), await freePort(), await freePort()];
  services = await Promise.all(ports.map(start));
}, TIMEOUT);
afterAll(async () => {
  await Promise.all(services.map((service) => service.kill()));
  await beside.stop();
});

/** As in production: the delay and the timeout of draining are those that it has by default. */
function start(port: number): Promise<RunningService> {
  return RunningService.start({
    NODE_ENV: 'production',
    PORT: String(port),
    PUBLIC_URL: 'http://127.0.0.1:1',
    PORTAL_SECRET: 'a secret of this test, long enough to be taken for one',
    DATABASE_URL: beside.databaseUrl,
    DATABASE_POOL_SIZE: '4',
  });
}

describe.each<Kind>(['haproxy', 'nginx'])('behind %s', (kind) => {
  const program = findProgram(kind);

  // Where the balancer is not installed there is nothing to ask.
  (program ? test : test.skip)('the answer is an error of ours when no process is left', async () => {
    const balancer = await Balancer.before(kind, program ?? '', [1, 1, 1]);
    const headers = { 'x-request-id': 'asked-in-vain' };
    await waitUntil(async () => (await balancer.status()) === 503);
    const response = await fetch(`${balancer.url}/api/contacts`, { headers });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('x-request-id')).toBe('asked-in-vain');
    expect(await response.json()).toEqual({
      ok: false,
      error: {
        code: 'unavailable',
        message: 'The service cannot answer right now. Try again shortly.',
        request_id: 'asked-in-vain',
      },
    });
    // Nobody from outside asks after the health of a process.
    expect((await fetch(`${balancer.url}/health/ready`)).status).toBe(404);
    await balancer.stop();
  });

  // Not where it is not installed; and nginx takes longer to notice, for the long version.
  (program && (isLong || kind === 'haproxy') ? test : test.skip)(
    'a restart of each process in turn loses no request and no write',
    async () => {
      const balancer = await Balancer.before(kind, program ?? '', ports);
      await waitUntil(async () => (await balancer.status()) === 401);
      const headers = { 'x-sm-key': key, 'content-type': 'application/json' };
      const company = await createCompany(beside.api);
      const traffic = new Traffic({ url: balancer.url, headers, company });
      traffic.start(CLIENTS);
      for (let turn = 0; turn < ROUNDS * PROCESSES; turn += 1) await restart(turn % PROCESSES);
      const figures = await traffic.stop(beside.databaseUrl);
      await balancer.stop();
      report(`Rolling restart behind ${kind}, ${ROUNDS} of each of ${PROCESSES} processes`, figures);
      expect(traffic.failures.filter((failure) => !isForgiven(kind, failure))).toEqual([]);
      expect(traffic.failures.length).toBeLessThanOrEqual(ROUNDS * PROCESSES);
      expect(figures).toMatchObject({ broken: 0, lost: 0, doubled: 0 });
      expect(figures.acknowledged + figures.refused).toBe(figures.sent);
    },
    TIMEOUT,
  );
});

/**
 * nginx learns of an end by the closed port alone: a write that is sent in the very instant it closes is refused, for it
 * must not be sent twice. That may befall one at each restart. HAProxy has asked before, and is forgiven nothing.
 */
function isForgiven(kind: Kind, failure: string): boolean {
  return kind === 'nginx' && /^(POST|PATCH) \S+: 503 /.test(failure);
}

/** Stops one process, starts it anew on its port, and waits until the balancer trusts it again. */
async function restart(index: number): Promise<void> {
  const [service, port] = [services[index], ports[index]];
  if (!service || !port) throw new Error(`There is no process ${index}.`);
  service.signal('SIGTERM');
  expect(await service.ended).toBe(0);
  const next = (services[index] = await start(port));
  await waitUntil(async () => next.output.includes('"route":"/api/contacts"'));
}

test('a connection is kept open for longer than any balancer uses it', async () => {
  const { keepAliveTimeout } = beside.app.getHttpServer();
  const haproxy = /timeout http-keep-alive (\d+)s/.exec(await readConfig('haproxy'))?.[1];
  const nginx = /keepalive_timeout (\d+)s/.exec(await readConfig('nginx'))?.[1];
  expect(Number(haproxy)).toBeGreaterThan(0);
  expect(Number(nginx)).toBeGreaterThan(0);
  expect(keepAliveTimeout).toBeGreaterThan(Math.max(Number(haproxy), Number(nginx)) * 1_000);
});
