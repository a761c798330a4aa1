// The requests under way: a drain waits for them, and names those it waited for in vain.
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { LinkedList } from '../common/linked-list.js';

/** Requests that are named one by one; of any more, only the number. */
const NAMED = 5;

@Injectable()
export class InFlight {
  private readonly replies = new LinkedList<FastifyReply>();
  private isLast = false;

  /** Follows every request of the server from now on. */
  follow(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (_request, reply, done) => {
      // Also when the client hangs up.
      reply.raw.on('close', this.replies.add(reply));
      if (this.isLast) void reply.header('connection', 'close');
      done();
    });
  }

  /**
   * From now on each answer is the last of its connection, also those under way: clients that keep connections learn
   * of the end before it comes, instead of sending a request into a connection that is just being closed.
   */
  endConnections(): void {
    this.isLast = true;
    for (const reply of this.replies.toArray()) void reply.header('connection', 'close');
  }

  /** Resolves once no request has been under way for `ms`. */
  async quiet(ms: number): Promise<void> {
    let since = performance.now();
    while (performance.now() - since < ms) {
      await delay(20);
      if (this.replies.size > 0) since = performance.now();
    }
  }

  /** The requests under way, the longest first, without what may be personal. */
  describe(): string[] {
    const named = this.replies
      .toArray()
      .slice(0, NAMED)
      .map(({ request, elapsedTime }) => {
        const { method, id, routeOptions } = request;
        return `${method} ${routeOptions.url ?? 'an unknown route'} (${id}) for ${Math.round(elapsedTime)} ms`;
      });
    const others = this.replies.size - named.length;
    return others > 0 ? [...named, `${others} more`] : named;
  }
}
