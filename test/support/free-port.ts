// A port nobody listens on.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that the system itself gives to connections and to whoever asks for any, and for each worker others. */
const FIRST = 12_000;
const OF_A_WORKER = 2_000;
const WORKERS = 9;

let next =
  FIRST +
  OF_A_WORKER * (Number(process.env.JEST_WORKER_ID ?? 0) % WORKERS) +
  Math.floor((Math.random() * OF_A_WORKER) / 2);

export async function freePort(): Promise<number> {
  for (;;) {
    const port = next;
    next += 1;
    const server = createServer();
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
    } catch {
      continue; // somebody's
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
