// The time in which no connection can be had: requests wait a little, then fail at once, and somebody else finds its end.
import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { NoConnection } from './database-errors.js';

/** How long a request is held for a database that has just gone, in ms: what restarts quickly refuses nobody. */
export const PATIENCE = 500;
/** Pauses between attempts to connect, in ms: each is twice the one before, and made longer or shorter by a half. */
const PAUSES = { first: 20, longest: 100 };
/** After this time the next attempt begins, though the one before has no answer, in ms. */
const UNANSWERED = 1_000;

export class Outage {
  private readonly logger = new Logger('Database');
  private readonly beganAt = performance.now();
  private readonly patience = sleep(PATIENCE, undefined, { ref: false });
  private readonly over = Promise.withResolvers<void>();
  private isOver = false;

  /**
   * @param reason why no connection could be had.
   * @param connect opens a connection and closes it again; called until it succeeds.
   * @param whenOver called once it has.
   */
  constructor(
    private reason: unknown,
    private readonly connect: () => Promise<unknown>,
    private readonly whenOver: () => void,
  ) {
    this.logger.warn(`No connection to the database: ${(reason as Error).message}`);
    void this.findEnd();
  }

  /** Resolves at its end. @throws NoConnection when it has lasted longer than requests are held. */
  async wait(): Promise<void> {
    if (performance.now() - this.beganAt < PATIENCE) await Promise.race([this.over.promise, this.patience]);
    if (!this.isOver) throw new NoConnection(this.reason);
  }

  /** Nobody wants to know any more. */
  abandon(): void {
    this.isOver = true;
  }

  private async findEnd(): Promise<void> {
    for (let pause = PAUSES.first; !this.isOver; pause = Math.min(2 * pause, PAUSES.longest)) {
      await sleep(pause * (0.5 + Math.random()), undefined, { ref: false });
      await Promise.race([this.attempt(), sleep(UNANSWERED, undefined, { ref: false })]);
    }
  }

  private async attempt(): Promise<void> {
    try {
      await this.connect();
      this.end();
    } catch (error) {
      this.reason = error;
    }
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    const seconds = ((performance.now() - this.beganAt) / 1000).toFixed(1);
    this.logger.log(`The database is back after ${seconds} s.`);
    this.whenOver();
    this.over.resolve();
  }
}
