// Where a request came from, for sessions, caps and the audit log.
import type { FastifyRequest } from 'fastify';

export interface Visitor {
  readonly address: string;
  readonly userAgent: string | null;
  readonly requestId: string;
}

/** The address is the connection's, or what a configured proxy says of it. */
export function visitorOf(request: FastifyRequest): Visitor {
  const userAgent = request.headers['user-agent']?.slice(0, 300) ?? null;
  return { address: request.ip, userAgent, requestId: request.id };
}
