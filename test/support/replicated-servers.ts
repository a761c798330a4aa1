// Two PostgreSQL servers of a test's own on this machine: a primary, and a hot standby that streams from it.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Migrator } from '../../src/database/migrator.js';
import { type Placement, placeServer, runTool } from '../../src/local/postgres-placement.js';
import { installQueues } from '../../src/mail/install-queues.js';
import { freePort } from './free-port.js';
import { waitUntil } from './wait.js';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  max_connections: '200',
  // Kept for a standby that was away.
  wal_keep_size: '256MB',
};

/** One of the two, by the name of its folder. */
export class LocalServer {
  private readonly pools = new Map<string, pg.Pool>();

  constructor(
    private readonly placement: Placement,
    private readonly name: string,
    private readonly password: string,
    readonly port: number,
  ) {}

  /** Another server with the same data; this one must not run, for only then a copy of it is a backup. */
  async copy(name: string): Promise<LocalServer> {
    execFileSync('cp', ['-a', this.name, name], { cwd: this.placement.directory });
    return new LocalServer(this.placement, name, this.password, await freePort());
  }

  /** A superuser's connection to the migrated database, or to another. */
  url(database = 'contacts'): string {
    return `postgres://postgres:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  async start(): Promise<void> {
    const options = ['-D', this.name, '-l', `${this.name}.log`, '-o', `-p ${this.port}`];
    // What is left of a killed server may still be going away.
    await waitUntil(() =>
      this.ctl([...options, '-w', 'start']).then(
        () => true,
        () => false,
      ),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
    this.pools.clear();
    return this.ctl(['-D', this.name, '-m', 'fast', '-w', 'stop']);
  }

  /** Ends the server with -9. */
  async kill(): Promise<void> {
    const file = join(this.placement.directory, this.name, 'postmaster.pid');
    process.kill(Number((await readFile(file, 'utf8')).split('\n')[0]), 'SIGKILL');
  }

  /** Makes a primary of a standby. */
  promote(): Promise<void> {
    return this.ctl(['-D', this.name, '-w', 'promote']);
  }

  /** Rows of a statement. */
  async sql<Row extends object>(
    statement: string,
    values: unknown[] = [],
    database = 'contacts',
  ): Promise<Row[]> {
    const pool = this.pools.get(database) ?? new pg.Pool({ connectionString: this.url(database), max: 2 });
    if (!this.pools.has(database)) pool.on('error', () => {});
    this.pools.set(database, pool);
    return (await pool.query<Row>(statement, values)).rows;
  }

  private ctl(args: string[]): Promise<void> {
    return runTool(this.placement, 'pg_ctl', args, this.placement.directory);
  }
}

export class ReplicatedServers {
  private follower?: LocalServer;

  private constructor(
    private readonly folder: string,
    readonly primary: LocalServer,
    readonly standby: LocalServer,
  ) {}

  /** Both run, and both have the migrated database `contacts`. */
  static async start(): Promise<ReplicatedServers> {
    const folder = await mkdtemp(join(tmpdir(), 'contacts-replica-'));
    const placement = { ...(await placeServer(join(folder, 'data'), () => {})), directory: folder };
    const binaries = await binariesOfTestServer();
    if (binaries) placement.binaries = binaries;
    const { user } = placement;
    if (user) {
      await chmod(folder, 0o755);
      await chown(folder, user.uid, user.gid);
    }
    const password = randomBytes(24).toString('hex');
    await writeFile(join(folder, 'password'), password);
    const cluster = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'];
    await runTool(
      placement,
      'initdb',
      ['-D', 'primary', '--pwfile=password', '--no-sync', ...cluster],
      folder,
    );
    const settings = Object.entries(SETTINGS).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(join(folder, 'primary', 'postgresql.conf'), settings.join(''));
    const primary = new LocalServer(placement, 'primary', password, await freePort());
    const standby = await primary.copy('standby');
    await primary.start();
    await writeFile(join(folder, 'standby', 'standby.signal'), '');
    await appendFile(
      join(folder, 'standby', 'postgresql.conf'),
      `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres password=${password}'\n`,
    );
    await standby.start();
    const servers = new ReplicatedServers(folder, primary, standby);
    await primary.sql('CREATE DATABASE contacts', [], 'postgres');
    await new Migrator({ url: primary.url(), log: () => {} }).up();
    await installQueues(primary.url());
    await servers.caughtUp();
    return servers;
  }

  /** Resolves when the standby has all that was committed on the primary by now. */
  async caughtUp(): Promise<void> {
    // A commit of our own ends what is flushed with a whole record, which alone can be replayed.
    await this.primary.sql(`SELECT pg_logical_emit_message(true, 'test', '')`);
    const [now] = await this.primary.sql<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    await waitUntil(async () => {
      const [state] = await this.standby.sql<{ there: boolean }>(
        'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there',
        [now?.lsn],
        'postgres',
      );
      return state?.there === true;
    }, 1);
  }

  /** A second standby of the same primary. */
  async second(): Promise<LocalServer> {
    await this.standby.stop();
    this.follower = await this.standby.copy('follower');
    await this.standby.start();
    await this.follower.start();
    return this.follower;
  }

  async stop(): Promise<void> {
    await this.follower?.stop().catch(() => {});
    await this.standby.stop().catch(() => {});
    await this.primary.stop().catch(() => {});
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The programs of the version that the other tests run on, where they are installed; else the embedded ones do. */
async function binariesOfTestServer(): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: process.env.TEST_SERVER_URL });
  await client.connect();
  const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
  await client.end();
  const major = Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  const folder = `/usr/lib/postgresql/${major}/bin`;
  return existsSync(join(folder, 'initdb')) ? folder : undefined;
}
