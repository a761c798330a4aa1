// One connection on which statements follow each other without waiting for their answers (libpq's pipeline mode).
import { Logger } from '@nestjs/common';
import { type Client, type ClientConfig, type Connection, DatabaseError, type QueryConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { isUnanswered, spoilsConnection } from './database-errors.js';
import { ObservedClient } from './observed-pg.js';

/** How long to wait after a connection failed, in ms. */
const REOPEN_AFTER = 500;

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** Opened when first asked for, and again after it was lost; what was in flight then has failed. */
export class Lane {
  private readonly logger = new Logger(Lane.name);
  /** Statements without an answer. */
  waiting = 0;
  private client?: Client;
  private opening?: Promise<void>;
  private failedAt = -Infinity;
  private isClosed = false;

  /**
   * @param options those of the pool: the same database, the same limits.
   * @param onLoss called when the connection is lost, and not left.
   */
  constructor(
    private readonly options: DataSourceOptions,
    private readonly onLoss: () => void,
  ) {}

  get isOpen(): boolean {
    return this.client !== undefined;
  }

  /** Begins to connect, unless that is under way, has just failed or comes too late. */
  open(): void {
    if (this.client || this.opening || this.isClosed || performance.now() - this.failedAt < REOPEN_AFTER)
      return;
    this.opening = this.connect().finally(() => (this.opening = undefined));
  }

  /** The rows of a statement; only while the lane is open. */
  async query(statement: QueryConfig): Promise<unknown[]> {
    const { client } = this;
    if (!client) throw new Error('Connection terminated: the lane is not open.');
    this.waiting += 1;
    try {
      writeTogether(client);
      return (await client.query<object>(statement)).rows;
    } catch (error) {
      // Whatever the lane itself did wrong is over with it.
      if (failedWithItsLane(error)) this.leave(client);
      throw error;
    } finally {
      this.waiting -= 1;
    }
  }

  /** Gives up the connection (or this one, if it is still in use), once what is in flight has its answer. */
  leave(client = this.client): void {
    if (!client || client !== this.client) return;
    this.client = undefined;
    void client.end().catch(() => undefined);
  }

  private lose(client: Client): void {
    if (client !== this.client || this.isClosed) return;
    this.leave();
    this.onLoss();
  }

  /** Leaves for good. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.opening;
    await this.client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = new ObservedClient(clientOptions(this.options));
    // What is in flight hears of it by itself. Without a handler the error would end the process.
    client.on('error', () => this.lose(client));
    client.on('end', () => this.lose(client));
    try {
      await client.connect();
      this.client = client;
    } catch (error) {
      this.failedAt = performance.now();
      this.logger.warn(`No connection for short reads, the pool takes them: ${(error as Error).message}`);
      void client.end().catch(() => undefined);
    }
  }
}

/** Sends what is asked in this turn of the event loop at once: each write to a socket costs more than its statement. */
function writeTogether(client: Client): void {
  const { stream } = (client as unknown as { connection: Connection }).connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}

function clientOptions(options: DataSourceOptions): ClientConfig {
  const { url, connectTimeoutMS, ...rest } = options as PostgresOptions;
  const pool = rest.extra as ClientConfig;
  return {
    ...pool,
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMS,
    application_name: 'contacts-reads',
    // What runs here is prepared, and by index whatever its values: planned once, not at every use.
    options: `${pool.options ?? ''} -c plan_cache_mode=force_generic_plan`,
    keepAlive: true,
    pipeline: true,
  };
}

/** Whether the connection or what was prepared on it is at fault, and not the statement nor its duration. */
export function failedWithItsLane(error: unknown): boolean {
  // What pg reports without a code of the server's are losses of the connection, but for the time that is up.
  return error instanceof DatabaseError ? spoilsConnection(error) : !isUnanswered(error);
}
