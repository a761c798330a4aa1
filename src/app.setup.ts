// How the application is put together over HTTP: the same for main.ts, the tests and the exported reference.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, Server } from 'node:http';
import cookie from '@fastify/cookie';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyHttpOptions, FastifyReply, FastifyRequest } from 'fastify';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.js';
import { callerIdOf } from './auth/current-caller.decorator.js';
import { sendTokens } from './common/consistency-token.js';
import { admitPortals, corsHeaders } from './common/cors.js';
import { sendError, toApiError } from './common/error.filter.js';
import { ApiError } from './common/errors.js';
import { toJson } from './common/json-text.js';
import { readJson, readQuery } from './common/json.js';
import { answerBrokenHttp, httpServerOptions, refuseUnsound } from './common/http-limits.js';
import { LoadShedding } from './common/load-shedding.js';
import { followRequests } from './common/request-log.js';
import { securityHeaders } from './common/security-headers.js';
import { Servers } from './common/servers.js';
import { type Env, allowedOrigins, publicUrlOf } from './config/env.js';
import { InFlight } from './health/in-flight.js';
import { servePortalDemo } from './local/portal-demo.js';
import { serveDocs } from './openapi-document.js';

type Done = (error: Error | null, value?: unknown) => void;

/** Hooks and parsers call back: for one that waits for nothing, a promise costs more than the work. */
function attempt(done: Done, work: () => unknown): void {
  let value: unknown;
  try {
    value = work();
  } catch (error) {
    return done(error as Error);
  }
  done(null, value);
}

const BODY_LIMIT = 1024 * 1024;
/**
 * How long a connection stays open between two requests, in ms. Longer than any proxy before us keeps it (deploy/): if
 * we were the first to close it, a request might just be on its way, and would be lost.
 */
const KEEP_ALIVE_MS = 75_000;
/** A caller's request id is taken over if it looks like one. */
const SANE_REQUEST_ID = /^[\w.:/+=@-]{8,128}$/;

/** The one route that takes an HTML form: the button of the sign-in page. */
const FORM_ROUTE = '/auth/magic-link/confirm';
/** It holds one token, in bytes. */
const FORM_LIMIT = 4_096;

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
  app.get(InFlight).follow(app.getHttpAdapter().getInstance());
  acceptJson(app);
  sendTokens(app.getHttpAdapter().getInstance(), app.get(Servers));
  admitPortals(app, env);
  await app.register(cookie);
  serveDocs(app, env);
  if (env.NODE_ENV !== 'production') await servePortalDemo(app, env);
  await app.init();
  app.useLogger(app.get(Logger));
  await app.getHttpAdapter().getInstance().ready();
  return app;
}

function fastifyAdapter(env: Env): FastifyAdapter {
  const follow = followRequests(callerIdOf);
  const headers = securityHeaders(publicUrlOf(env).startsWith('https:'));
  const origins = allowedOrigins(env);
  const shedding = new LoadShedding(env, requestId, headers, (origin) => corsHeaders(origins, origin));
  const options: FastifyHttpOptions<Server> & { skipMiddie: boolean } = {
    bodyLimit: BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // While we drain: what arrives on a connection that is still open is answered like anything else.
    return503OnClosing: false,
    // We have no middleware, and the engine for it would look at every request.
    skipMiddie: true,
    trustProxy: env.TRUST_PROXY.length > 0 ? env.TRUST_PROXY : false,
    requestIdHeader: false,
    genReqId: requestId,
    routerOptions: { querystringParser: (text: string) => ({ text }), maxParamLength: 200 },
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      // Fastify runs no hook for it.
      follow(request, reply, () => {
        void reply.headers({ ...headers, ...corsHeaders(origins, request.headers.origin) });
        void reply.header('x-request-id', request.id);
        sendError(reply, badUrl(error), request.id);
      });
    },
    http: httpServerOptions(env),
    serverFactory: (handle, given) => shedding.serverFor(handle, given),
    clientErrorHandler: (error, socket) => answerBrokenHttp(error, socket, { env, headers }),
  };
  const adapter = new FastifyAdapter(options);
  const fastify = adapter.getInstance();
  fastify.setReplySerializer(toJson);
  fastify.addHook('onRequest', follow);
  // On the way out, where the answers to preflights pass, too.
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    void reply.header('x-request-id', request.id);
    for (const name in headers) if (!reply.hasHeader(name)) void reply.header(name, headers[name]);
    done();
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    attempt(
      (error) => done(error ?? undefined),
      () => {
        refuseUnsound(request, env);
        readUrl(request);
      },
    );
  });
  return adapter;
}

/** Not by the router, where a malformed query string would end the process. */
function readUrl(request: FastifyRequest): void {
  request.query = readQuery((request.query as { text?: string }).text ?? '');
  if (request.url.includes('%00'))
    throw new ApiError('malformed_url', { message: 'The URL holds a NUL character.' });
}

function requestId({ headers }: { headers: Record<string, unknown> }): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID();
}

/** find-my-way reports every URL it cannot decode before any route is chosen. */
function badUrl(error: FastifyError): ApiError {
  return error.code === 'FST_ERR_BAD_URL' ? new ApiError('malformed_url') : toApiError(error);
}

/** JSON everywhere, a form on one route, and nothing else. */
function acceptJson(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    ({ headers }: FastifyRequest, body: Buffer, done: Done) =>
      attempt(done, () => {
        refuseForeignEncoding(headers);
        return readJson(body);
      }),
  );
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: FORM_LIMIT },
    (request: FastifyRequest, body: string, done: Done) =>
      attempt(done, () => {
        if (request.routeOptions.url !== FORM_ROUTE) throw new ApiError('unsupported_media_type');
        return readQuery(body);
      }),
  );
}

/** JSON is UTF-8 (RFC 8259), and a compressed body could unpack to any size. */
function refuseForeignEncoding(headers: IncomingHttpHeaders): void {
  const coding = headers['content-encoding'] ?? 'identity';
  const [, charset = 'utf-8'] = /;\s*charset="?([^";\s]*)/i.exec(headers['content-type'] ?? '') ?? [];
  if (coding.toLowerCase() === 'identity' && /^utf-?8$/i.test(charset)) return;
  throw new ApiError('unsupported_media_type', { message: 'Send the body as UTF-8 and not compressed.' });
}
