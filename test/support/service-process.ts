// The service as a process of its own, on whatever database its settings name.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { printed, startEntry } from './process.js';

export interface ServiceProcess {
  /** Where it listens, whatever its PUBLIC_URL says. */
  url: string;
  /** Everything it has printed. */
  log: () => string;
  stop: () => Promise<void>;
}

/** Starts it from the sources, and resolves when it serves; `settings` are environment variables. */
export async function startServiceProcess(settings: Record<string, string>): Promise<ServiceProcess> {
  const port = await freePort();
  const child = startEntry('main', [], { PORT: String(port), LOG_LEVEL: 'info', ...settings });
  let log = '';
  child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await printed(child, /is running at/);
  const stop = async (): Promise<void> => {
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await ended;
  };
  return { url: `http://127.0.0.1:${port}`, log: () => log, stop };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
