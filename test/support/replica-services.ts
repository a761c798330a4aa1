// Services that read from a replica, and what a test does to that meanwhile.
import { type Server, Servers } from '../../src/common/servers.js';
import { ReplicatedServers } from './replicated-servers.js';
import { TestService } from './service.js';
import { waitUntil } from './wait.js';

export class ReplicaServices {
  private readonly services: TestService[] = [];

  private constructor(readonly servers: ReplicatedServers) {}

  static async start(): Promise<ReplicaServices> {
    return new ReplicaServices(await ReplicatedServers.start());
  }

  async stop(): Promise<void> {
    await this.stopServices();
    await this.servers.stop();
  }

  /** A process of the service, which by default reads from the replica already. */
  async service(settings: Record<string, string> = {}, { isUsed = true } = {}): Promise<TestService> {
    const service = await TestService.start({
      DATABASE_URL: this.servers.primary.url(),
      DATABASE_REPLICA_URL: this.servers.standby.url(),
      ...settings,
    });
    this.services.push(service);
    if (isUsed) await waitUntil(() => this.isRead(service));
    return service;
  }

  async stopServices(): Promise<void> {
    for (const service of this.services.splice(0)) await service.stop();
  }

  /** Runs `work` on the server that the service chooses for a read. */
  read<T>(service: TestService, work: (server: Server) => Promise<T>, seen?: string): Promise<T> {
    return service.app.get(Servers).read({ seen }, work);
  }

  /** Whether a read of this moment goes to the replica. */
  isRead(service: TestService, seen?: string): Promise<boolean> {
    const ask = async ({ reads }: Server): Promise<boolean> => {
      const [row] = await reads.query<{ yes: boolean }[]>('SELECT pg_is_in_recovery() AS yes');
      return row?.yes === true;
    };
    return this.read(service, ask, seen);
  }

  /** From now on the replica receives what is written, and does not show it. */
  async pause(): Promise<void> {
    await this.servers.standby.sql('SELECT pg_wal_replay_pause()');
    await waitUntil(async () => {
      const [row] = await this.servers.standby.sql<{ state: string }>(
        'SELECT pg_get_wal_replay_pause_state() AS state',
      );
      return row?.state === 'paused';
    });
  }

  async resume(): Promise<void> {
    await this.servers.standby.sql('SELECT pg_wal_replay_resume()');
  }

  /** Changes a setting of the replica, until the next test. */
  async set(name: string, value: string): Promise<void> {
    await this.servers.standby.sql(`ALTER SYSTEM SET ${name} = '${value}'`);
    await this.servers.standby.sql('SELECT pg_reload_conf()');
  }

  /** Whatever the test before has done to it, it shows what is written. */
  async ready(): Promise<void> {
    await this.resume();
    await this.servers.standby.sql('ALTER SYSTEM RESET ALL');
    await this.servers.standby.sql('SELECT pg_reload_conf()');
    await this.servers.caughtUp();
  }
}
