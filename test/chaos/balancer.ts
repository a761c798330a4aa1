// The balancers of deploy/, run as they are but for the addresses.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { waitUntil } from '../support/wait.js';

/** How a balancer is run: on a file in a folder of its own. */
const PROGRAMS = {
  haproxy: { file: 'haproxy.cfg', args: (config: string) => ['-W', '-db', '-f', config] },
  nginx: {
    file: 'nginx.conf',
    args: (config: string, folder: string) => ['-p', folder, '-c', config, '-g', 'daemon off;'],
  },
};

export type Kind = keyof typeof PROGRAMS;

/** The text of deploy/<file>. */
export function readConfig(kind: Kind): Promise<string> {
  return readFile(new URL(`../../deploy/${PROGRAMS[kind].file}`, import.meta.url), 'utf8');
}

export class Balancer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {}

  /** Starts it before processes that listen on these ports of this machine. */
  static async before(kind: Kind, program: string, ports: readonly number[]): Promise<Balancer> {
    const folder = await mkdtemp(join(tmpdir(), `contacts-${kind}-`));
    const port = await freePort();
    const config = join(folder, PROGRAMS[kind].file);
    await writeFile(config, withAddresses(await readConfig(kind), port, ports));
    const log = join(folder, 'output');
    const output = await open(log, 'a');
    const child = spawn(program, PROGRAMS[kind].args(config, folder), {
      stdio: ['ignore', output.fd, output.fd],
    });
    await output.close();
    const balancer = new Balancer(child, folder, `http://127.0.0.1:${port}`);
    await waitUntil(async () => {
      if (child.exitCode !== null)
        throw new Error(`${kind} ended with ${child.exitCode}:\n${await readFile(log, 'utf8')}`);
      return (await balancer.status()) !== undefined;
    });
    return balancer;
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true });
  }

  /** Of a request without a key: 401 when it comes to a process, undefined while nobody answers at all. */
  async status(): Promise<number | undefined> {
    const response = await fetch(`${this.url}/api/contacts`).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.status;
  }
}

/** The file's own addresses, exchanged one for one. */
function withAddresses(config: string, port: number, ports: readonly number[]): string {
  const left = [...ports];
  const text = config
    .replaceAll(/\b10\.0\.0\.1\d:3000\b/g, () => `127.0.0.1:${left.shift()}`)
    .replaceAll(/^(\s*(?:bind|listen)\s+)\S*8080/gm, `$1127.0.0.1:${port}`);
  if (left.length > 0) throw new Error(`The file has room for ${ports.length - left.length} processes only.`);
  return text;
}
