// How the application is put together over HTTP: the same for main.ts, the tests and the exported reference.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { callerIdOf } from './auth/current-caller.decorator.js';
import { sendError, toApiError } from './common/error.filter.js';
import { ApiError, errorBody } from './common/errors.js';
import { readJson, readQuery } from './common/json.js';
import { logRequest } from './common/request-log.js';
import type { Env } from './config/env.js';
import { serveDocs } from './openapi-document.js';

const BODY_LIMIT = 1024 * 1024;
/** A caller's request id is taken over if it looks like one. */
const SANE_REQUEST_ID = /^[\w.:/+=@-]{8,128}$/;

/** The application, not yet listening. `preview` builds it without a database, for its routes alone. */
export async function createApp(env: Env, { preview = false } = {}): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(env), fastifyAdapter(env), {
    bodyParser: false,
    // Nest's own account of every module and route would bury the lines that matter at a start.
    logger: preview ? false : ['fatal', 'error', 'warn'],
    preview,
    abortOnError: false,
  });
  if (preview) return app;
  acceptJsonOnly(app);
  serveDocs(app, env);
  await app.init();
  app.useLogger(app.get(Logger));
  await app.getHttpAdapter().getInstance().ready();
  return app;
}

function fastifyAdapter(env: Env): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    trustProxy: env.TRUST_PROXY.length > 0 ? env.TRUST_PROXY : false,
    requestIdHeader: false,
    genReqId: (request: { headers: Record<string, unknown> }) => requestId(request.headers['x-request-id']),
    routerOptions: { querystringParser: (text: string) => ({ text }), maxParamLength: 200 },
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      void reply.header('x-request-id', request.id);
      sendError(reply, badUrl(error), request.id);
      // Fastify runs no hook for it.
      logRequest(request, reply);
    },
    clientErrorHandler: answerBrokenHttp,
  });
  const fastify = adapter.getInstance();
  fastify.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    void reply.header('x-request-id', request.id);
    // Read here and not by the router, where a malformed query string would end the process.
    request.query = readQuery((request.query as { text?: string }).text ?? '');
    if (request.url.includes('%00'))
      throw new ApiError('malformed_url', { message: 'The URL holds a NUL character.' });
  });
  fastify.addHook('onResponse', async (request, reply) => logRequest(request, reply, callerIdOf(request)));
  return adapter;
}

function requestId(given: unknown): string {
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID();
}

/** find-my-way reports every URL it cannot decode before any route is chosen. */
function badUrl(error: FastifyError): ApiError {
  return error.code === 'FST_ERR_BAD_URL' ? new ApiError('malformed_url') : toApiError(error);
}

/** What is not HTTP at all never reaches the application; it gets the same envelope all the same. */
function answerBrokenHttp(
  error: { code?: string },
  socket: { writable: boolean; end(text: string): void; destroy(): void },
): void {
  if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy();
  const fault = new ApiError(
    error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'malformed_request',
  );
  const id = randomUUID();
  const body = JSON.stringify(errorBody(fault, id));
  const reason = fault.status === 431 ? 'Request Header Fields Too Large' : 'Bad Request';
  socket.end(
    `HTTP/1.1 ${fault.status} ${reason}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `X-Request-Id: ${id}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function acceptJsonOnly(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    ({ headers }: FastifyRequest, body: Buffer, done: (error: Error | null, value?: unknown) => void) => {
      try {
        refuseForeignEncoding(headers);
        done(null, readJson(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

/** JSON is UTF-8 (RFC 8259), and a compressed body could unpack to any size. */
function refuseForeignEncoding(headers: IncomingHttpHeaders): void {
  const coding = headers['content-encoding'] ?? 'identity';
  const [, charset = 'utf-8'] = /;\s*charset="?([^";\s]*)/i.exec(headers['content-type'] ?? '') ?? [];
  if (coding.toLowerCase() === 'identity' && /^utf-?8$/i.test(charset)) return;
  throw new ApiError('unsupported_media_type', { message: 'Send the body as UTF-8 and not compressed.' });
}
