// Where a request came from, for sessions, caps and the audit log.
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

export interface Visitor {
  readonly address: string;
  readonly userAgent: string | null;
  readonly requestId: string;
}

/** The address is the connection's, or what a configured proxy says of it. */
export function visitorOf(request: FastifyRequest): Visitor {
  const userAgent = request.headers['user-agent']?.slice(0, 300) ?? null;
  return { address: plainAddress(request), userAgent, requestId: request.id };
}

/** An address PostgreSQL understands; a proxy may put a word, a port or a zone where the address belongs. */
function plainAddress(request: FastifyRequest): string {
  const given = [request.ip, request.socket.remoteAddress].find((text) => text && ipaddr.isValid(text));
  if (!given) return '0.0.0.0';
  const address = ipaddr.process(given);
  if ('zoneId' in address) address.zoneId = undefined;
  return address.toString();
}
