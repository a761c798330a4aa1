// The service as a process, as it runs in production, on a database that is about to fail.
import { readFileSync, readdirSync } from 'node:fs';
import type { Cluster } from './cluster.js';
import { runEntry } from '../process.js';
import { RunningService } from '../running-service.js';
import type { Target } from './writers.js';

export const POOL_SIZE = 8;
/** Short, so that a paused server is noticed, and long enough for a busy machine, in ms. */
export const TIMEOUT = 3_000;

/** As in the image: Node lets a heap grow that has room, and a leak could not be told from that. */
const HEAP = '--max-semi-space-size=16 --max-old-space-size=200';

export class ServiceProcess {
  private constructor(
    private readonly running: RunningService,
    readonly target: Target,
  ) {}

  /** @param url the database as the service reaches it. */
  static async start(url: string, cluster: Cluster, smtpUrl: string): Promise<ServiceProcess> {
    const running = await RunningService.start({
      DATABASE_URL: url,
      // Past what pools, where there is such a thing: else the two are the same.
      ...(new URL(url).pathname !== new URL(cluster.url).pathname && { DATABASE_DIRECT_URL: cluster.url }),
      DATABASE_POOL_SIZE: String(POOL_SIZE),
      DATABASE_TIMEOUT_MS: String(TIMEOUT),
      SMTP_URL: smtpUrl,
      LOG_LEVEL: 'warn',
      NODE_OPTIONS: HEAP,
    });
    const scopes = 'contacts:read,contacts:write,companies:read,companies:write';
    const { stdout } = await runEntry('cli', ['keys', 'create', '--name', 'chaos', '--scopes', scopes], {
      DATABASE_URL: cluster.url,
    });
    const company = 'co_chaos';
    await cluster.sql(`INSERT INTO company (id, name) VALUES ($1, 'Chaos')`, [company]);
    return new ServiceProcess(running, { url: running.url, key: stdout.trim(), company });
  }

  /** What it printed, should it have ended; null while it runs. */
  get death(): string | null {
    return this.running.isRunning ? null : this.running.output;
  }

  /** Resident memory in MB, and open files and sockets; null where the system does not tell. */
  get use(): { memory: number; handles: number } | null {
    const process = `/proc/${this.running.pid}`;
    try {
      const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`${process}/status`, 'utf8')) ?? [];
      return {
        memory: Math.round(Number(kilobytes) / 1024),
        handles: readdirSync(`${process}/fd`).length,
      };
    } catch {
      return null;
    }
  }

  stop(): Promise<void> {
    return this.running.kill();
  }
}
