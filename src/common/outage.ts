// The time in which no connection can be had: requests wait a little, then fail soon, and somebody else finds its end.
import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { NoConnection } from './database-errors.js';

/** How long a request is held for a database that has just gone, in ms: what restarts quickly refuses nobody. */
export const PATIENCE = 500;
/** Between two attempts to connect, give or take a half, so that processes do not come at the same time, in ms. */
const PAUSE = 50;
/** After this time an attempt counts as failed, though it may still succeed, in ms. */
const UNANSWERED = 250;

export class Outage {
  private readonly logger = new Logger('Database');
  private readonly beganAt = performance.now();
  private readonly patience = pause(PATIENCE);
  private readonly over = Promise.withResolvers<void>();
  /** The end of the first attempt that has not begun yet. */
  private next = Promise.withResolvers<void>();
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

  /**
   * Resolves at its end. Once it has lasted longer than requests are held, the next attempt to connect decides: a
   * request that comes after the database does is served.
   * @throws NoConnection
   */
  async wait(): Promise<void> {
    // The pauses keep no process from ending, but whoever waits for one does: a command has nothing else to live on.
    const held = setInterval(() => undefined, PATIENCE);
    try {
      const isYoung = performance.now() - this.beganAt < PATIENCE;
      if (isYoung) await Promise.race([this.over.promise, this.patience]);
      if (!this.isOver) await this.next.promise;
    } finally {
      clearInterval(held);
    }
    if (!this.isOver) throw new NoConnection(this.reason);
  }

  /** Nobody wants to know any more. */
  abandon(): void {
    this.isOver = true;
  }

  private async findEnd(): Promise<void> {
    while (!this.isOver) {
      await pause(PAUSE * (0.5 + Math.random()));
      const { resolve } = this.next;
      this.next = Promise.withResolvers();
      await Promise.race([this.attempt(), pause(UNANSWERED)]);
      resolve();
    }
    this.next.resolve();
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

/** Keeps no process from ending. */
const pause = (time: number): Promise<void> => sleep(time, undefined, { ref: false });
