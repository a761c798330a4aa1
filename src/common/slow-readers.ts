// Cuts clients that do not take their answer: until it is gone, each holds one of the few requests that may be under way.
import type { ServerResponse } from 'node:http';

/** How often answers are looked through for those that take too long, in ms. */
const CHECK_EVERY = 1_000;

export class SlowReaders {
  /** Since when each answer is known to be on its way; not yet for those that are still being made. */
  private readonly answers = new Map<ServerResponse, number | undefined>();
  private checking?: NodeJS.Timeout;

  /** @param patience how long an answer may take from its headers to its last byte, in ms. */
  constructor(private readonly patience: number) {}

  start(): void {
    this.checking = setInterval(() => this.cut(performance.now()), CHECK_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.checking);
  }

  /** Watches an answer until it is sent, or its client has gone. */
  watch(response: ServerResponse): void {
    this.answers.set(response, undefined);
    response.once('close', () => this.answers.delete(response));
  }

  private cut(now: number): void {
    for (const [response, since] of this.answers) {
      // Whoever reads a byte now and then is as slow as who reads none.
      if (since !== undefined && now - since > this.patience) response.socket?.destroy();
      else if (since === undefined && response.headersSent) this.answers.set(response, now);
    }
  }
}
