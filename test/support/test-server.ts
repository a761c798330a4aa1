// The PostgreSQL that the tests run on: TEST_DATABASE_URL, a container, or the embedded one, in this order.
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedDatabase } from '../../src/local/embedded-database.js';

export interface TestServer {
  description: string;
  /** A role here may create databases. */
  url: string;
  stop: () => Promise<void>;
}

export async function startTestServer(): Promise<TestServer> {
  const given = process.env.TEST_DATABASE_URL;
  if (given)
    return { description: `TEST_DATABASE_URL (${new URL(given).host})`, url: given, stop: async () => {} };
  if (!(await dockerAnswers())) return startEmbedded('');
  try {
    return await startContainer();
  } catch (error) {
    return startEmbedded(` (Docker answers, but: ${(error as Error).message.split('\n')[0]})`);
  }
}

async function startContainer(): Promise<TestServer> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const container = await new PostgreSqlContainer('postgres:18')
    .withCommand(['postgres', '-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=300'])
    .start();
  const stop = async (): Promise<void> => void (await container.stop());
  return { description: 'PostgreSQL 18 in a container', url: container.getConnectionUri(), stop };
}

async function startEmbedded(reason: string): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'contacts-test-'));
  await chmod(folder, 0o755); // as root, the server's own user must get in
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' };
    const server = await startEmbeddedDatabase({ directory: join(folder, 'postgres'), settings });
    const stop = async (): Promise<void> => {
      await server.stop();
      await removeFolder();
    };
    return { description: `the embedded PostgreSQL${reason}`, url: server.url, stop };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}

/** Whether an engine answers; a client program or a dead socket is not enough. */
async function dockerAnswers(): Promise<boolean> {
  const host = process.env.DOCKER_HOST;
  if (host?.startsWith('tcp://')) {
    const { hostname, port } = new URL(host);
    return answers({ hostname, port });
  }
  const sockets = [
    host?.replace(/^(unix|npipe):\/\//, ''),
    ...(process.platform === 'win32' ? ['//./pipe/docker_engine'] : ['/var/run/docker.sock']),
    join(process.env.XDG_RUNTIME_DIR ?? '/run', 'docker.sock'),
    join(homedir(), '.docker/run/docker.sock'),
    join(homedir(), '.colima/default/docker.sock'),
  ].filter((path) => path !== undefined);
  const answered = await Promise.all(sockets.filter(existsSync).map((socketPath) => answers({ socketPath })));
  return answered.includes(true);
}

function answers(where: { socketPath: string } | { hostname: string; port: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ ...where, path: '/_ping', timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('timeout', () => ping.destroy(new Error('timeout')));
    ping.on('error', () => resolve(false));
    ping.end();
  });
}
