// The one place where a failure becomes an answer.
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fromDatabase } from './database-errors.js';
import { ApiError, type ErrorCode, errorBody } from './errors.js';

/** Seconds a client should wait before it tries a 503 again. */
const RETRY_AFTER = 1;

/** What Nest and Fastify refuse by themselves, by status. */
const BY_STATUS: Record<number, ErrorCode> = {
  400: 'malformed_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'url_too_long',
  415: 'unsupported_media_type',
  431: 'headers_too_large',
  503: 'unavailable',
};

const NO_ROUTE = 'There is no such route, or not with this method.';

@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Error');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = toApiError(thrown);
    if (error.code === 'internal_error' || error.code === 'unavailable') {
      this.logger.error({ err: thrown, reqId: request.id, code: error.code }, error.message);
    }
    sendError(reply, error, request.id);
  }
}

/** Writes `error` as the failure envelope with the headers its status asks for. */
export function sendError(reply: FastifyReply, error: ApiError, requestId: string): void {
  const retryAfter = error.retryAfter ?? (error.status === 503 ? RETRY_AFTER : undefined);
  if (retryAfter !== undefined) void reply.header('retry-after', retryAfter);
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer realm="contacts"');
  void reply.status(error.status).send(errorBody(error, requestId));
}

/** Any thrown value as the answer it deserves; what is unknown is a 500 that tells nothing. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (isBrokenOff(thrown)) return new ApiError('request_timeout');
  const fromPostgres = fromDatabase(thrown);
  if (fromPostgres) return fromPostgres;
  const code = BY_STATUS[statusOf(thrown) ?? 500] ?? 'internal_error';
  // What is not there in a route says so itself.
  return new ApiError(code, code === 'not_found' ? { message: NO_ROUTE } : {});
}

/** Whether the client hung up, or was cut for being slow, before its body was here; the database says ECONNRESET, too. */
function isBrokenOff(thrown: unknown): boolean {
  const { code, statusCode } = (thrown ?? {}) as { code?: unknown; statusCode?: unknown };
  return code === 'ECONNRESET' && statusCode === 400;
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  // Fastify's own errors: FST_ERR_CTP_BODY_TOO_LARGE and its like.
  const { code, statusCode } = thrown as { code?: unknown; statusCode?: unknown };
  return typeof code === 'string' && code.startsWith('FST_') ? Number(statusCode) : undefined;
}
