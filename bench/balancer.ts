// HAProxy as deploy/ has it, before one process of the service.
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from './children.ts';
import { type Server, freePort } from './servers.ts';

/** Where servers are installed, which is not on everybody's PATH. */
const PATH = [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter);
const READY_WITHIN_MS = 10_000;

/**
 * The server as it is met through HAProxy; its `stop` ends both.
 * @throws Error where HAProxy is not installed, or does not let a request through.
 */
export async function behindHaproxy(server: Server): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'contacts-haproxy-'));
  const port = await freePort();
  const config = join(folder, 'haproxy.cfg');
  const shipped = await readFile(new URL('../deploy/haproxy.cfg', import.meta.url), 'utf8');
  const adapted = shipped
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace(/10\.0\.0\.\d+:3000/, new URL(server.url).host)
    // The others are not there.
    .replaceAll(/^ *server .* 10\.0\.0\.\d+:3000\n/gm, '');
  await writeFile(config, adapted);
  const child = startChild('haproxy', ['-db', '-f', config], {
    env: { ...process.env, PATH },
    stdio: 'ignore',
  });
  // Without the program there is an error in its place.
  const ended = once(child, 'close').catch(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
    await server.stop();
  };
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + READY_WITHIN_MS; Date.now() < end; await sleep(50)) {
    if (child.pid === undefined) break;
    const answer = await fetch(`${url}/api/contacts?limit=1`, { headers: server.headers }).catch(() => null);
    if (answer?.ok) return { ...server, url, stop };
  }
  await stop();
  throw new Error('haproxy does not let a request through: is it installed?');
}
