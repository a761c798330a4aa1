// The consistency token: answers to writes carry it where there is a replica, and reads may send it back.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Servers } from './servers.js';

const HEADER = 'x-consistency-token';

/** The token a request came with. */
export function tokenOf({ headers }: FastifyRequest): string | undefined {
  const token = headers[HEADER];
  return typeof token === 'string' ? token : undefined;
}

/** Lets every write under /api that was done tell the place in the log by which it was. */
export function sendTokens(fastify: FastifyInstance, servers: Servers): void {
  if (!servers.hasReplica) return;
  fastify.addHook('onSend', async ({ method, routeOptions }, reply) => {
    const isWrite = method !== 'GET' && method !== 'HEAD' && routeOptions.url?.startsWith('/api/');
    if (isWrite && reply.statusCode < 300) void reply.header(HEADER, await servers.written());
  });
}
