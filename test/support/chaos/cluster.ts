// A PostgreSQL server of a test's own, to be stopped, killed, paused and filled up; what it acknowledges is on the disk.
import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Migrator } from '../../../src/database/migrator.js';
import { startEmbeddedDatabase } from '../../../src/local/embedded-database.js';
import { installQueues } from '../../../src/mail/install-queues.js';
import { waitUntil } from '../wait.js';

export class Cluster {
  private server?: { url: string; stop: () => Promise<void> };

  private constructor(
    private readonly folder: string,
    private readonly settings: Record<string, string>,
  ) {}

  /** With a migrated database; `settings` are the server's. */
  static async create(settings: Record<string, string> = {}): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'contacts-chaos-'));
    await chmod(folder, 0o755); // as root, the server's own user must get in
    const cluster = new Cluster(folder, { max_connections: '60', ...settings });
    await cluster.start();
    await new Migrator({ url: cluster.url, log: () => {} }).up();
    await installQueues(cluster.url);
    return cluster;
  }

  /** A connection string of the superuser. */
  get url(): string {
    if (!this.server) throw new Error('The server has never run.');
    return this.server.url;
  }

  /** Where its user may write, and this process, too. */
  get place(): string {
    return this.folder;
  }

  async start(): Promise<void> {
    const directory = join(this.folder, 'postgres');
    this.server = await startEmbeddedDatabase({ directory, settings: this.settings });
  }

  /** Ends every session, and the server once all is written. */
  async stop(): Promise<void> {
    await this.server?.stop();
  }

  /** As a power failure would, but for what the operating system still has to write. */
  async kill(): Promise<void> {
    const pids = await this.signal('SIGKILL');
    await waitUntil(async () => !pids.some(isRunning));
  }

  /** Whether its first process is there. */
  async isUp(): Promise<boolean> {
    const pid = await this.postmaster();
    return pid !== 0 && isRunning(pid);
  }

  async pause(): Promise<void> {
    await this.signal('SIGSTOP');
  }

  async resume(): Promise<void> {
    await this.signal('SIGCONT');
  }

  /** A standby of this server that is about to be started, which has everything this one acknowledges from now on. */
  async makeStandby(): Promise<Cluster> {
    await this.stop();
    const standby = new Cluster(await mkdtemp(join(tmpdir(), 'contacts-chaos-')), this.settings);
    await chmod(standby.folder, 0o755);
    const copy = join(standby.folder, 'postgres');
    await cp(join(this.folder, 'postgres'), copy, { recursive: true });
    await rm(join(copy, 'port'));
    await this.start();
    await writeFile(join(copy, 'data', 'standby.signal'), '');
    const line = `primary_conninfo = '${this.url}?application_name=standby'\n`;
    await writeFile(join(copy, 'data', 'postgresql.auto.conf'), line, { flag: 'a' });
    const { uid, gid } = await stat(join(this.folder, 'postgres', 'data'));
    if (uid !== process.getuid?.()) spawnSync('chown', ['-R', `${uid}:${gid}`, copy]);
    await standby.start();
    await this.configure('synchronous_standby_names', '*');
    await waitUntil(async () => {
      const rows = await this.sql(`SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`);
      return rows.length === 1;
    });
    return standby;
  }

  /** Changes a setting while the server runs; null for its default. */
  async configure(name: string, value: string | null): Promise<void> {
    await this.sql(`ALTER SYSTEM ${value === null ? `RESET ${name}` : `SET ${name} = '${value}'`}`);
    await this.sql('SELECT pg_reload_conf()');
  }

  /** The rows of a statement on a connection of its own. */
  async sql<Row extends object>(statement: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(statement, values)).rows;
    } finally {
      await client.end();
    }
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'test' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Ends and deletes it. */
  async destroy(): Promise<void> {
    await this.resume();
    await this.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** The id of its first process, 0 when there is none. */
  private async postmaster(): Promise<number> {
    const file = join(this.folder, 'postgres', 'data', 'postmaster.pid');
    return Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  }

  /** Sends a signal to the server and all its processes, the server first, and answers who they are. */
  private async signal(signal: NodeJS.Signals): Promise<number[]> {
    const postmaster = await this.postmaster();
    if (!postmaster) return [];
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
    const children = processes.filter(([, parent]) => parent === postmaster).map(([pid = 0]) => pid);
    const pids = [postmaster, ...children];
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has just ended by itself.
      }
    }
    return pids;
  }
}

function isRunning(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}
