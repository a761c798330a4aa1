// A pool and a client of pg that tell which statements are sent, and how long a connection is waited for.
import type { TracingChannel } from 'node:diagnostics_channel';
import pg from 'pg';
import { ForgetfulClient } from './forgetful-client.js';
import { poolWaits, statements } from './signals.js';

/** Tells of each statement: its text, never its values. */
export class ObservedClient extends ForgetfulClient {
  constructor(options?: pg.ClientConfig) {
    super(options);
    this.query = observed(statements, this.query.bind(this), (statement) => ({
      begunAt: performance.now(),
      text: typeof statement === 'string' ? statement : (statement as pg.QueryConfig).text,
      client: this,
    }));
  }
}

/** Of observed clients. */
export class ObservedPool extends pg.Pool {
  constructor(options?: pg.PoolConfig) {
    super({ ...options, Client: ObservedClient });
    this.connect = observed(poolWaits, this.connect.bind(this), () => ({ begunAt: performance.now() }));
  }
}

/** `call` by whose promise or callback `channel` is told when it ends; `tell` makes the message from its argument. */
function observed<Call, Message extends object>(
  channel: TracingChannel<unknown, Message>,
  call: Call,
  tell: (argument: unknown) => Message,
): Call {
  const plain = call as (...args: unknown[]) => Promise<unknown>;
  const watched = (...args: unknown[]): unknown => {
    if (!channel.hasSubscribers) return plain(...args);
    const message = tell(args[0]);
    return typeof args.at(-1) === 'function'
      ? channel.traceCallback(plain, -1, message, undefined, ...args)
      : channel.tracePromise(plain, message, undefined, ...args);
  };
  return watched as Call;
}
