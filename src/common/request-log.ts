// One line per request: what was asked for, by whom, and how it went. Never a URL, whose query holds personal data.
import { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

const logger = new Logger('Http');

/** Logs an answered request; `caller` is the id of the key or contact behind it, if known. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, caller?: string): void {
  const line = {
    reqId: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    caller,
  };
  // Balancers ask every second whether we are well.
  if (line.route?.startsWith('/health/')) logger.debug(line, 'request completed');
  else logger.log(line, 'request completed');
}
