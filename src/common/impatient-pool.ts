// The pool of connections: it holds on to none that is of no use, and bears with a database that is away for a moment.
import pg from 'pg';
import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { NoConnection, spoilsConnection } from './database-errors.js';
import { ApiError } from './errors.js';
import { ObservedPool } from './observed-pg.js';
import { Outage, PATIENCE } from './outage.js';
import { PreparedNames } from './prepared-names.js';
import { requestShed } from './signals.js';

/** A server that is read-only by intent would have every connection renewed for every write: at most this often, in ms. */
const RENEW_EVERY = 1_000;
const READ_ONLY = '25006';
/** Of either kind, at most: clients choose fields and so the texts of lists, but hardly those of transactions. */
const PREPARED = 250;
/** In no transaction, as the server said with its last answer. */
const IDLE = 'I';
/** What pg's pool says when all connections are busy, which says nothing about the database, or when it is closed. */
const OWN_REFUSAL = /^(timeout exceeded when trying to connect|Cannot use a pool after calling end)/;

type Connected = Parameters<pg.Pool['connect']>[0];

/**
 * Lets nobody wait behind too many others: whoever came last would wait longest, and hold up what needs no connection.
 * Drops a connection that comes back in a transaction, or with its query unanswered: all that followed would wait behind
 * that. And with a lost or silent one all idle ones: what befell it befell them, and each would cost a request to find out.
 */
export class ImpatientPool extends ObservedPool {
  /** Of the statements that its connections have prepared: single ones, and those of transactions. */
  readonly names: Record<'single' | 'within', PreparedNames>;
  private readonly unused = new Set<pg.Client>();
  private readonly used = new Set<pg.Client>();
  /** Not to be used again. */
  private readonly outdated = new WeakSet<pg.Client>();
  private readonly lossListeners: (() => void)[] = [];
  private readonly size: number;
  private hasConnected = false;
  private outage?: Outage;
  private renewedAt = -Infinity;
  private renewal?: NodeJS.Timeout;

  constructor(options: pg.PoolConfig) {
    super(options);
    this.size = this.options.max;
    const { isPooled } = this.options as { isPooled?: boolean };
    const namesOf = (kind: string): PreparedNames => new PreparedNames(kind, isPooled ? 0 : PREPARED);
    this.names = { single: namesOf('single'), within: namesOf('within') };
    this.on('connect', (client) => this.welcome(client));
    this.on('acquire', (client) => {
      this.unused.delete(client);
      this.used.add(client);
    });
    this.on('release', (error, client) => this.takeBack(error, client));
    this.on('remove', (client) => this.forget(client));
    this.on('error', () => this.tellLoss());
  }

  /** Calls `listener` whenever a connection was lost: another server may answer from now on, or one that has forgotten. */
  onLoss(listener: () => void): void {
    this.lossListeners.push(listener);
  }

  /**
   * Replaces every connection by a new one, which may lead elsewhere, as soon as nobody uses it: the server of those
   * there are is no longer the primary, or somebody else has lost a connection to it.
   */
  renew(): void {
    this.tellLoss();
    const rest = this.renewedAt + RENEW_EVERY - performance.now();
    if (rest > 0) {
      this.renewal ??= setTimeout(() => {
        this.renewal = undefined;
        this.renew();
      }, rest).unref();
      return;
    }
    this.renewedAt = performance.now();
    for (const client of this.used) this.outdated.add(client);
    this.dropUnused();
  }

  /** Lends `work` a connection. @throws NoConnection when none can be had. */
  async use<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let isLost = false;
    const lose = (): void => void (isLost = true);
    client.on('error', lose);
    try {
      return await work(client);
    } catch (error) {
      isLost ||= spoilsConnection(error) || spoilsConnection((error as Error).cause);
      throw error;
    } finally {
      client.off('error', lose);
      client.release(isLost);
    }
  }

  /**
   * @throws NoConnection when all are busy for too long, or when there is no database to connect to.
   * @throws ApiError 503 at once when too many wait already.
   */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | void {
    const connected = this.acquire();
    if (!callback) return connected;
    connected.then(
      (client) => callback(undefined, client, client.release.bind(client)),
      (error: Error) => callback(error, undefined, () => undefined),
    );
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    this.outage?.abandon();
    clearTimeout(this.renewal);
    return callback ? super.end(callback) : super.end();
  }

  private async acquire(): Promise<pg.PoolClient> {
    const { maxWaiting = Infinity } = this.options as { maxWaiting?: number };
    // For a moment, those are in the queue as well who get one of the idle connections, or a new one.
    const available = this.idleCount + this.options.max - this.totalCount;
    if (this.waitingCount - available >= maxWaiting) {
      requestShed.tell({ reason: 'pool_queue' });
      throw new ApiError('overloaded');
    }
    const asked = performance.now();
    for (;;) {
      // As long as there are others, one of them will be free in a moment.
      if (this.outage && this.established === 0) await this.outage.wait();
      try {
        return await super.connect();
      } catch (error) {
        // Before the first connection there is nothing to wait for: the address may be wrong.
        if (!this.hasConnected || OWN_REFUSAL.test((error as Error).message)) throw new NoConnection(error);
        this.beginOutage(error);
        if (performance.now() - asked > this.patience) throw new NoConnection(error);
      }
    }
  }

  /** In ms. Who was refused a new connection waits for one of the others, if there are any, like everybody. */
  private get patience(): number {
    const { connectionTimeoutMillis = PATIENCE } = this.options;
    return this.established === 0 ? PATIENCE : connectionTimeoutMillis;
  }

  private get established(): number {
    return this.used.size + this.unused.size;
  }

  private beginOutage(reason: unknown): void {
    if (this.ending) return;
    this.outage ??= new Outage(
      reason,
      () => this.probe(),
      () => this.endOutage(),
    );
    this.resize();
  }

  private endOutage(): void {
    this.outage = undefined;
    this.resize();
    // By itself pg's pool looks at who waits only when a connection comes back, and has no public name for it.
    const pool = this as unknown as { _pulseQueue: () => void };
    for (let waiting = this.waitingCount; waiting > 0; waiting -= 1) pool._pulseQueue();
  }

  /** During an outage the pool makes do with the connections it has: nobody waits for one that the server does not give. */
  private resize(): void {
    this.options.max = (this.outage && this.established) || this.size;
  }

  private async probe(): Promise<void> {
    const { Client } = this as unknown as { Client: new (options: pg.ClientConfig) => pg.Client };
    const client = new Client(this.options);
    client.on('error', () => undefined);
    try {
      await client.connect();
    } finally {
      void client.end();
    }
  }

  private welcome(client: pg.PoolClient): void {
    this.hasConnected = true;
    // Whoever uses a connection hears of its end by a failed query; unheard, as in the moment between opening and handing
    // it on, the event would end the process.
    client.on('error', () => undefined);
    client.connection.on('errorMessage', (error: pg.DatabaseError) => {
      // A server that refuses to write is no primary, or is one no more: behind its name there may be another by now.
      if (error.code === READ_ONLY) this.renew();
      // A session that the server has ended would go to the next who waits before the end of its connection is noticed.
      if (spoilsConnection(error)) this.outdated.add(client);
    });
  }

  private takeBack(error: Error | undefined, client: pg.PoolClient): void {
    this.used.delete(client);
    // pg has no public name for it, and readyForQuery is false for a moment after every refused statement, too.
    const { _activeQuery: unanswered } = client as unknown as { _activeQuery: object | null | undefined };
    // An end that came to nothing, cancelled perhaps, would leave its transaction to whoever comes next.
    const status = client.getTransactionStatus();
    // Nothing is known of one that comes back as it opens, because whoever it was for has gone.
    const isWithin = status !== null && status !== IDLE;
    if (unanswered || isWithin || this.outdated.has(client)) void client.end();
    else if (!error) this.unused.add(client);
    if (!unanswered && !error) return;
    this.dropUnused();
    this.tellLoss();
    if (unanswered) this.beginOutage(new Error('it does not answer.'));
  }

  private dropUnused(): void {
    for (const client of this.unused) {
      // By the error the pool learns of it at once; from a silent server no end would ever come.
      client.emit('error', new Error('Another connection was lost.'));
      client.connection.stream.destroy();
    }
  }

  private forget(client: pg.PoolClient): void {
    this.unused.delete(client);
    this.used.delete(client);
    this.resize();
  }

  /** Also for whoever has lost a connection of its own to the same server. */
  tellLoss(): void {
    for (const listener of this.lossListeners) listener();
  }
}

/** The pool of a connected DataSource, which is made with it. */
export function poolOf(source: DataSource): ImpatientPool {
  return (source.driver as PostgresDriver).master as ImpatientPool;
}
