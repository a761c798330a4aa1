// One line per request: what was asked for, by whom, and how it went. Never a URL, whose query holds personal data.
import { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Exchange, requestBegun, requestEnded } from './signals.js';

const logger = new Logger('Http');

/** What nginx calls it when a client goes away without waiting for its answer. */
const CLIENT_GONE = 499;

/**
 * Tells of a request that begins, and logs it when it is over, answered or not: the first hook of every request.
 * `callerOf` answers the id of the key or contact behind it, if known by then.
 */
export function followRequests(callerOf: (request: FastifyRequest) => string | undefined) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const exchange: Exchange = { request, reply };
    // An answer that nobody waited for is never finished, but closed it is.
    reply.raw.on('close', () => logRequest(exchange, callerOf(request)));
    requestBegun.around(exchange, done);
  };
}

function logRequest(exchange: Exchange, caller?: string): void {
  const { request, reply, traceId } = exchange;
  const ending = {
    method: request.method,
    route: request.routeOptions.url,
    status: reply.raw.writableFinished ? reply.statusCode : CLIENT_GONE,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    caller,
  };
  const line = { reqId: request.id, ...ending, traceId };
  // Balancers ask every second whether we are well.
  if (ending.route?.startsWith('/health/')) logger.debug(line, 'request completed');
  else logger.log(line, 'request completed');
  requestEnded.tell({ exchange, ending });
}
