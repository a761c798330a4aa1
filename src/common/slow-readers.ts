// Cuts clients that do not take their answer: until it is gone, each holds one of the few requests that may be under way.
import type { ServerResponse } from 'node:http';
import { LinkedList } from './linked-list.js';

/** How often answers are looked through for those that take too long, in ms. */
const CHECK_EVERY = 1_000;

interface Answer {
  readonly response: ServerResponse;
  /** When it was first seen on its way; not yet while it is being made. */
  since?: number;
}

export class SlowReaders {
  private readonly answers = new LinkedList<Answer>();
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
    response.on('close', this.answers.add({ response }));
  }

  private cut(now: number): void {
    for (const answer of this.answers.toArray()) {
      const { response, since } = answer;
      // Whoever reads a byte now and then is as slow as who reads none.
      if (since !== undefined && now - since > this.patience) response.socket?.destroy();
      else if (since === undefined && response.headersSent) answer.since = now;
    }
  }
}
