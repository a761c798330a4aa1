// What one connection may ask of the server before any route sees it: how much, how slowly, and how many at once.
import type { ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Env } from '../config/env.js';
import { ApiError, type ErrorCode, errorBody } from './errors.js';
import type { Headers } from './security-headers.js';

/** How often connections are looked through for those that are too slow, in ms. */
const CHECK_EVERY = 1_000;
/** How long a refused client has to read why before its connection is gone, in ms. */
const LINGER = 1_000;

/** What Node's server refuses by itself, by way of `answerBrokenHttp`. */
export function httpServerOptions(env: Env): ServerOptions {
  return {
    maxHeaderSize: env.HTTP_MAX_HEADER_BYTES,
    headersTimeout: env.HTTP_HEADERS_TIMEOUT_MS,
    requestTimeout: env.HTTP_REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY,
    // Node's own refusal is empty and bare of our headers: refuseUnsound has a better one.
    requireHostHeader: false,
  };
}

/** @throws ApiError 400, 414 or 431 for what the parser lets pass, but no client should send. */
export function refuseUnsound({ raw }: FastifyRequest, env: Env): void {
  // RFC 9112, section 3.2.
  if (raw.headers.host === undefined && raw.httpVersion === '1.1') throw new ApiError('malformed_request');
  if ((raw.url ?? '').length > env.HTTP_MAX_URL_BYTES) throw new ApiError('url_too_long');
  // A list of names and values in turns.
  if (raw.rawHeaders.length > env.HTTP_MAX_HEADERS * 2) throw new ApiError('headers_too_large');
}

/** An error of Node's HTTP parser, with the bytes (a Buffer) it could not make sense of. */
interface ParserError {
  code?: string;
  rawPacket?: unknown;
}

const CODES: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};
const REASONS: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
};

/** What is not HTTP, or too slow, never reaches the application; it gets the same envelope all the same. */
export function answerBrokenHttp(
  error: ParserError,
  socket: Socket,
  { env, headers }: { env: Env; headers: Headers },
): void {
  const { _httpMessage: answer } = socket as Socket & {
    _httpMessage?: { headersSent: boolean; req: { complete: boolean } };
  };
  // What is wrong with a later request would be taken for a part of the answer to this one, or for all of it.
  const isBusy = answer?.headersSent || answer?.req.complete;
  if (!socket.writable || isBusy || error.code === 'ECONNRESET') return void socket.destroy();
  const code = isLongUrl(error, socket, env) ? 'url_too_long' : CODES[error.code ?? ''];
  const fault = new ApiError(code ?? 'malformed_request');
  const id = randomUUID();
  const body = JSON.stringify(errorBody(fault, id));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${fault.status} ${REASONS[fault.status]}\r\nContent-Type: application/json; charset=utf-8\r\n${lines.join('')}` +
      `X-Request-Id: ${id}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Some would keep their half of the connection open for ever.
  setTimeout(() => socket.destroy(), LINGER).unref();
}

/** Whether the line with the URL alone is too much, as far as it can be told: by the first packet of a connection. */
function isLongUrl({ code, rawPacket }: ParserError, socket: Socket, env: Env): boolean {
  if (code !== 'HPE_HEADER_OVERFLOW' || !Buffer.isBuffer(rawPacket)) return false;
  return (
    rawPacket.length === socket.bytesRead && !rawPacket.subarray(0, env.HTTP_MAX_URL_BYTES).includes('\n')
  );
}
