// Chooses the server for a read: the replica, when there is one that has all the caller may expect to see, else the primary.
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { closing } from './closing.js';
import { ApiError } from './errors.js';
import { poolOf } from './impatient-pool.js';
import { PreparedPool } from './prepared-pool.js';
import { Reads } from './reads.js';
import { serverChosen } from './signals.js';
import type { Queryable } from './sql.js';
import { Standby } from './standby.js';
import { NOWHERE, walPosition } from './wal-position.js';

/** The DataSource of the replica, not yet connected; null without DATABASE_REPLICA_URL. */
export const REPLICA = Symbol('REPLICA');

/** The ways to one server. */
export interface Server {
  readonly name: 'primary' | 'replica';
  /** Short reads together. */
  readonly reads: Queryable;
  /** With a connection to itself meanwhile. */
  readonly prepared: Queryable;
  /** The same, planned for its values. */
  readonly planned: Queryable;
}

/** What metrics tell of a server. */
export interface ServerLoad {
  readonly server: Server['name'];
  readonly source: DataSource;
  readonly reads: Reads;
}

/** Who reads, as far as it matters here. */
interface Reader {
  /** A token of `written()`: the reader makes do with what was true then. */
  readonly seen?: string;
}

@Injectable()
export class Servers implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly primary: Server;
  private readonly replica?: Server & { readonly reads: Reads };
  private readonly standby?: Standby;

  constructor(
    private readonly db: DataSource,
    private readonly reads: Reads,
    prepared: PreparedPool,
    @Inject(ENV) private readonly env: Env,
    @Inject(REPLICA) private readonly source: DataSource | null,
  ) {
    this.primary = { name: 'primary', reads, prepared, planned: db };
    poolOf(db).onLoss(() => reads.leave());
    if (!source) return;
    this.replica = {
      name: 'replica',
      reads: new Reads(source, env),
      prepared: new PreparedPool(source),
      planned: source,
    };
    this.standby = new Standby({
      url: env.DATABASE_REPLICA_URL,
      maxLag: env.DATABASE_REPLICA_MAX_LAG_MS,
      askPrimary: (sql) => reads.query(sql),
      open: () => opened(source),
    });
  }

  onApplicationBootstrap(): void {
    void this.standby?.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the replica', async () => {
      await this.standby?.close();
      await this.replica?.reads.onApplicationShutdown();
      if (this.source?.isInitialized) await this.source.destroy();
    });
  }

  get hasReplica(): boolean {
    return this.replica !== undefined;
  }

  /** Whether the replica is read from; undefined without one. */
  get isReplicaUsed(): boolean | undefined {
    return this.standby?.isFit;
  }

  /** The servers that are connected. */
  get loads(): readonly ServerLoad[] {
    const { db, reads, replica, source } = this;
    const primary = { server: 'primary', source: db, reads } as const;
    if (!replica || !source?.isInitialized) return [primary];
    return [primary, { server: 'replica', source, reads: replica.reads }];
  }

  /**
   * What `work` reads on the server that is chosen. It sees all that was acknowledged before this call, to whomever and
   * by whichever process; with a token all that was before that, and the rest a moment later. It may run twice: what
   * fails on the replica is read on the primary.
   */
  async read<T>(reader: Reader, work: (server: Server) => Promise<T>): Promise<T> {
    const { standby, replica } = this;
    if (!standby || !replica) return work(this.primary);
    const isReplica = await mayRead(standby, reader);
    serverChosen.tell({ server: isReplica ? 'replica' : 'primary' });
    if (!isReplica) return work(this.primary);
    const begun = performance.now();
    try {
      return await standby.whileItAnswers(() => work(replica));
    } catch (error) {
      if (error instanceof ApiError && error.code !== 'unavailable') throw error;
      standby.doubt();
      // What took long there takes long here.
      if (performance.now() - begun > this.env.DATABASE_TIMEOUT_MS / 2) throw error;
      return work(this.primary);
    }
  }

  /** The token of what is written by now: who sends it with a read sees that. */
  async written(): Promise<string> {
    try {
      const [row] = await this.reads.query<{ position: string }[]>(
        'SELECT pg_current_wal_flush_lsn()::text AS position',
      );
      return row?.position ?? NOWHERE;
    } catch {
      // What was written is written: it is seen on the primary.
      return NOWHERE;
    }
  }
}

async function mayRead(standby: Standby, { seen }: Reader): Promise<boolean> {
  const position = seen === undefined ? null : walPosition(seen);
  if (position === null) return standby.catchesUp();
  return standby.hasReached(position) || ((await standby.catchesUp()) && standby.hasReached(position));
}

/** TypeORM leaves a pool behind that it has made and not got an answer by. */
async function opened(source: DataSource): Promise<DataSource> {
  try {
    return await source.initialize();
  } catch (error) {
    await source.driver.disconnect().catch(() => undefined);
    throw error;
  }
}
