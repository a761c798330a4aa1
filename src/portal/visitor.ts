// Where a request came from, for sessions, caps and the audit log.
import type { FastifyRequest } from 'fastify';
import { clientAddress } from '../common/client-address.js';

export interface Visitor {
  readonly address: string;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export function visitorOf(request: FastifyRequest): Visitor {
  const userAgent = request.headers['user-agent']?.slice(0, 300) ?? null;
  return { address: clientAddress(request), userAgent, requestId: request.id };
}
