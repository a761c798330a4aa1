// Sweeps out, while the service runs, what has been kept long enough.
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { UnhurriedConnection } from '../common/unhurried.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { RetentionRepository, sweepsOf } from './retention.repository.js';

/** Time between sweeps of one process, in ms. */
const SWEEP_EVERY = 60 * 60_000;
/** Pause between batches, in ms: others have the disk meanwhile. */
const PAUSE = 20;

/** Rows removed by table; null when another process is at it. */
type Swept = Readonly<Record<string, number>> | null;

/** Removes all that is due, in batches, on a connection of its own; ends early, after a batch, when `over` is. */
export async function sweep(env: Env, over?: AbortSignal): Promise<Swept> {
  const connection = new UnhurriedConnection(env, 'contacts-sweep');
  try {
    const repository = new RetentionRepository(connection);
    const swept: Record<string, number> = {};
    for (const one of sweepsOf(env)) {
      for (let removed: number | null = one.batch; removed === one.batch; await delay(PAUSE)) {
        if (over?.aborted) break;
        removed = await repository.removeBatch(one);
        if (removed === null) return null;
        swept[one.table] = (swept[one.table] ?? 0) + removed;
      }
    }
    return swept;
  } finally {
    await connection.end();
  }
}

@Injectable()
export class Retention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Retention.name);
  private readonly stopping = new AbortController();
  private timer?: NodeJS.Timeout;
  private sweeping?: Promise<void>;

  constructor(@Inject(ENV) private readonly env: Env) {}

  onApplicationBootstrap(): void {
    this.begin();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.sweeping;
  }

  private begin(): void {
    if (this.stopping.signal.aborted) return;
    this.sweeping = this.sweepAndTell();
    this.timer = setTimeout(() => void this.sweeping?.then(() => this.begin()), SWEEP_EVERY);
    this.timer.unref();
  }

  /** What is not swept now is swept the next time. */
  private async sweepAndTell(): Promise<void> {
    try {
      const swept = Object.entries((await sweep(this.env, this.stopping.signal)) ?? {}).filter(
        ([, rows]) => rows > 0,
      );
      if (swept.length > 0)
        this.logger.log({ rows: Object.fromEntries(swept) }, 'Removed what was kept long enough.');
    } catch (error) {
      this.logger.warn(`Nothing was swept, or not all: ${(error as Error).message}`);
    }
  }
}
