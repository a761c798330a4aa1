// What the service tells of its own work, to whoever listens: metrics and traces. While nobody does, it costs nothing.
import type { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, type TracingChannel, channel, tracingChannel } from 'node:diagnostics_channel';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** One kind of message, from one place to any number of listeners, at once. */
export class Signal<Message extends object> {
  private readonly channel: Channel;

  constructor(name: string) {
    this.channel = channel(`contacts:${name}`);
  }

  tell(message: Message): void {
    if (this.channel.hasSubscribers) this.channel.publish(message);
  }

  /** Tells it, and does `work` in the contexts that were bound to it. */
  around(message: Message, work: () => void): void {
    this.channel.runStores(message, work);
  }

  /** Answers how to stop. A listener must not throw: the process would end. */
  listen(listener: (message: Message) => void): () => void {
    const heard = (message: unknown): void => listener(message as Message);
    this.channel.subscribe(heard);
    return () => this.channel.unsubscribe(heard);
  }

  /** Whatever `around` does finds `context` of its message in `store`. Answers how to stop. */
  bind<Context>(store: AsyncLocalStorage<Context>, context: (message: Message) => Context): () => void {
    this.channel.bindStore(store, (message) => context(message as Message));
    return () => void this.channel.unbindStore(store);
  }
}

/** A request and its answer. */
export interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Left here by whoever traces it, for the line in the log. */
  traceId?: string;
}

/** How a request ended, as the log has it. */
export interface Ending {
  readonly method: string;
  /** The pattern, such as /api/contacts/:id; undefined where no route fits. */
  readonly route: string | undefined;
  /** 499 when the client went away without waiting for it. */
  readonly status: number;
  readonly ms: number;
  /** Id of the key or contact. */
  readonly caller: string | undefined;
}

export const requestBegun = new Signal<Exchange>('request-begun');
export const requestEnded = new Signal<{ readonly exchange: Exchange; readonly ending: Ending }>(
  'request-ended',
);

/** A request refused with 401; `credential` is what it brought. */
export const authenticationFailed = new Signal<{ readonly credential: 'key' | 'token' | 'none' }>(
  'authentication-failed',
);

/** A sign-in that ended: well, or with a reason from a fixed list. */
export const signInEnded = new Signal<{
  readonly method: 'magic_link' | 'google';
  readonly refusal?: string;
}>('sign-in-ended');

/** A request that a limit refused (429); `limit` is a word from a fixed list. */
export const limitHit = new Signal<{ readonly limit: string }>('limit-hit');

/** A request turned away because the process has enough to do (503); `reason` is a word from a fixed list. */
export const requestShed = new Signal<{ readonly reason: string }>('request-shed');

/** Where a read goes that may be done on a replica, there being one. */
export const serverChosen = new Signal<{ readonly server: 'primary' | 'replica' }>('server-chosen');

/** Something asked of the database in a request, to be sent later, with what others ask. */
export const gathered = new Signal<object>('gathered');
/** Around the sending of what was gathered. */
export const sentTogether = new Signal<{ readonly items: readonly object[] }>('sent-together');

/** Something that takes time, as its listeners see it. */
export interface Operation {
  /** performance.now() */
  readonly begunAt: number;
  /** Set at its end, if it failed. */
  readonly error?: unknown;
}

/** A statement, sent by `client`; the text has placeholders where values are. */
export interface Statement extends Operation {
  readonly text: string;
  readonly client: { readonly database?: string; readonly host: string; readonly port: number };
}

/** As node:diagnostics_channel does it: `start`, and `asyncStart` as soon as there is an answer. */
export const statements = tracingChannel<unknown, Statement>('contacts:statement');
/** Waiting for a connection of the pool. */
export const poolWaits = tracingChannel<unknown, Operation>('contacts:pool-wait');

/** Hears of each operation as soon as it is done. Answers how to stop. */
export function whenDone<Message extends object>(
  operations: TracingChannel<unknown, Message>,
  listener: (message: Message) => void,
): () => void {
  const heard = (message: unknown): void => listener(message as Message);
  operations.asyncStart.subscribe(heard);
  return () => operations.asyncStart.unsubscribe(heard);
}
