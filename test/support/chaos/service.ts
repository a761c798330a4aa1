// The service as a process, as it runs in production, on a database that is about to fail.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import pg from 'pg';
import { printed, runEntry, startEntry } from '../process.js';
import type { Target } from './writers.js';

export const POOL_SIZE = 8;
/** Short, so that a paused server is noticed, and long enough for a busy machine, in ms. */
export const TIMEOUT = 3_000;

export class ServiceProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly target: Target,
    private readonly output: string[],
  ) {}

  /** @param url the database as the service reaches it, @param direct as this test does. */
  static async start(url: string, direct: string, smtpUrl: string): Promise<ServiceProcess> {
    const child = startEntry('main', [], {
      DATABASE_URL: url,
      DATABASE_POOL_SIZE: String(POOL_SIZE),
      DATABASE_TIMEOUT_MS: String(TIMEOUT),
      SMTP_URL: smtpUrl,
      PORT: '0',
      LOG_LEVEL: 'warn',
    });
    const output: string[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    const [, base = ''] = /running at (http:\S+)\n/.exec(await printed(child, /running at http:\S+\n/)) ?? [];
    const scopes = 'contacts:read,contacts:write,companies:read,companies:write';
    const { stdout } = await runEntry('cli', ['keys', 'create', '--name', 'chaos', '--scopes', scopes], {
      DATABASE_URL: direct,
    });
    const company = 'co_chaos';
    const client = new pg.Client({ connectionString: direct });
    await client.connect();
    await client.query(`INSERT INTO company (id, name) VALUES ($1, 'Chaos')`, [company]);
    await client.end();
    return new ServiceProcess(child, { url: base, key: stdout.trim(), company }, output);
  }

  /** What it printed, should it have ended; null while it runs. */
  get death(): string | null {
    return this.child.exitCode === null && this.child.signalCode === null ? null : this.output.join('');
  }

  /** Resident memory in MB, and open files and sockets; null where the system does not tell. */
  get use(): { memory: number; handles: number } | null {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
      const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(status) ?? [];
      const handles = readdirSync(`/proc/${this.child.pid}/fd`).length;
      return { memory: Math.round(Number(kilobytes) / 1024), handles };
    } catch {
      return null;
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'close');
    this.child.kill('SIGKILL');
    if (this.death === null) await ended;
  }
}
