// Hears of every change to an API key, from whichever process, within a fraction of a second.
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { closing } from '../common/closing.js';
import { poolOf } from '../common/impatient-pool.js';

/** Connection string of a direct session (not through a transaction pooler), for LISTEN. */
export const LISTEN_URL = Symbol('LISTEN_URL');

/** How often the session proves that it is alive, and how long it is trusted since it last did, in ms. */
const HEARTBEAT = 250;
const TRUSTED_FOR = 750;
const RECONNECT_AFTER = 500;
/** Always so on a standby. */
const IS_READ_ONLY = `SELECT current_setting('transaction_read_only')::boolean AS is_read_only`;

/**
 * Listens on its own connection. While it cannot be sure to hear (`isCurrent` false), nothing remembered may be
 * used: that is what makes "revoked within one second" hold through a lost or silent connection, too.
 */
@Injectable()
export class ApiKeyChanges implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ApiKeyChanges.name);
  private readonly listeners: ((keyId: string | null) => void)[] = [];
  private client?: Client;
  private timer?: NodeJS.Timeout;
  private heardAt = -Infinity;
  /** Told in the log once, however often it tries again. */
  private isDeaf = false;
  private stopped = false;

  constructor(
    @Inject(LISTEN_URL) private readonly url: string,
    private readonly source: DataSource,
  ) {}

  /** Calls `listener` with the id of each key that changed, or null when any may have. */
  onChange(listener: (keyId: string | null) => void): void {
    this.listeners.push(listener);
  }

  /** Whether a change made until `TRUSTED_FOR` ms ago would have been heard of. */
  get isCurrent(): boolean {
    return performance.now() - this.heardAt < TRUSTED_FOR;
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.connect();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await closing('the listener for keys', async () => this.client?.end().catch(() => undefined));
  }

  private async connect(): Promise<void> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'contacts-listen',
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
      keepAlive: true,
    });
    this.client = client;
    client.on('notification', ({ payload }) => this.announce(payload ?? null));
    // The heartbeat replaces the connections. Behind a pooler this one may be the first to hear of a crash, and the only one.
    client.on('error', () => void (this.stopped || poolOf(this.source).tellLoss()));
    try {
      await client.connect();
    } catch (error) {
      return this.reconnect(client, error);
    }
    try {
      await client.query('LISTEN api_key_changed');
      // What changed while nobody listened is unknown.
      this.announce(null);
      // The others may have been opened before the way led where it leads now.
      if (this.isDeaf) poolOf(this.source).renew();
      await this.beat(client);
    } catch (error) {
      this.leave(client, error);
    }
  }

  /**
   * An answer proves that every notification before it has been delivered, since both share the connection. On a server
   * that is no longer the primary nobody changes a key: what happens on the new one would not be heard.
   */
  private async beat(client: Client): Promise<void> {
    const asked = performance.now();
    const { rows } = await client.query<{ is_read_only: boolean }>(IS_READ_ONLY);
    if (rows[0]?.is_read_only) throw new Error('the server is read-only.');
    this.heardAt = asked;
    this.isDeaf = false;
    this.later(HEARTBEAT, () => this.beat(client).catch((error: unknown) => this.leave(client, error)));
  }

  /** What befell this connection may have befallen the others, and those that only read would not find out. */
  private leave(client: Client, error: unknown): void {
    if (!this.stopped) poolOf(this.source).renew();
    this.reconnect(client, error);
  }

  private reconnect(client: Client, error: unknown): void {
    if (this.stopped) return;
    const reason = (error as Error).message;
    if (!this.isDeaf)
      this.logger.warn(`Not listening for key changes, asking the database instead: ${reason}`);
    this.isDeaf = true;
    this.heardAt = -Infinity;
    void client.end().catch(() => undefined);
    this.later(RECONNECT_AFTER, () => this.connect());
  }

  private later(delay: number, work: () => Promise<void>): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void work(), delay);
    this.timer.unref();
  }

  private announce(keyId: string | null): void {
    for (const listener of this.listeners) listener(keyId);
  }
}
