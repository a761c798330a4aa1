// The audit of .ci/run: a stand-in for the registry has advisories, has none, or cannot be asked.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const STEP = fileURLToPath(new URL('../.ci/audit', import.meta.url));
const LOCK = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, { version: string } | undefined>;
};

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'contacts-npm-'));
});

let registry: Server | undefined;
afterEach(async () => {
  await rm(cache, { recursive: true, force: true, maxRetries: 3 });
  registry?.closeAllConnections();
  registry?.close();
});

/** Runs the step against a registry that has these advisories, or answers their question with another status. */
async function audit(status: number, advisories: object): Promise<{ code: number; stdout: string }> {
  registry = createServer((request, response) => {
    const send = (code: number, body: object) =>
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    request.resume().on('end', () => {
      if (request.method === 'POST') send(status, advisories);
      else send(200, manifests(decodeURIComponent(request.url?.slice(1) ?? '')));
    });
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const { port } = registry.address() as AddressInfo;
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_fetch_retries: '0',
    // It remembers advisories by their number.
    npm_config_cache: cache,
  };
  return new Promise((resolve) => {
    execFile(STEP, { env }, (error, stdout) => resolve({ code: error ? Number(error.code) : 0, stdout }));
  });
}

/** What the registry knows of a package: the one version that we use. */
function manifests(name: string): object {
  const { version, ...rest } = LOCK.packages[`node_modules/${name}`] ?? { version: '0.0.0' };
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, ...rest } } };
}

const advisory = (severity: string) => [
  {
    id: 1,
    url: 'https://advisories.example/1',
    title: 'Bad',
    severity,
    vulnerable_versions: '*',
    cwe: [],
    cvss: { score: 9, vectorString: null },
  },
];

test.each(['high', 'critical'])('fails on a vulnerability that is %s, and tells of it', async (severity) => {
  const { code, stdout } = await audit(200, { fastify: advisory(severity) });
  expect(code).toBe(1);
  expect(stdout).toContain('https://advisories.example/1');
});

test('passes on less, and on what is for development alone', async () => {
  const found = { fastify: advisory('moderate'), jest: advisory('critical') };
  expect(await audit(200, found)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^No package/) });
});

test('passes where there is nothing to tell', async () => {
  expect(await audit(200, {})).toMatchObject({ code: 0, stdout: expect.stringMatching(/^No package/) });
});

test.each([404, 405, 500])('says so and passes where the registry answers %d', async (status) => {
  expect(await audit(status, { error: 'no' })).toEqual({
    code: 0,
    stdout: 'Skipped: the registry has no audit to offer.\n',
  });
});
