// What is beyond capacity is refused at once and for next to nothing, so that what is accepted is answered as ever.
import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  createServer,
} from 'node:http';
import type { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import type { FastifyHttpOptions } from 'fastify';
import type { Env } from '../config/env.js';
import { ApiError, errorBody } from './errors.js';
import type { Headers } from './security-headers.js';
import { requestShed } from './signals.js';

/** Connections beyond the limit that are still listened to: to be told so, and for the balancer to ask for our health. */
const RESERVE = 64;
/** Whoever asks these wants to know whether we live: to refuse would be to say no. */
const NEVER_SHED = '/health/';
const RETRY_AFTER = 1;
/** At most one line in so many ms tells how many were refused. */
const TELL_EVERY = 1_000;

const OVERLOADED = new ApiError('overloaded');
const [BODY_BEFORE_ID = '', BODY_AFTER_ID = ''] = JSON.stringify(errorBody(OVERLOADED, '\n')).split('\\n');

export class LoadShedding {
  private readonly logger = new Logger(LoadShedding.name);
  /** Names and values in turns. */
  private readonly headers: readonly string[];
  private readonly surplus = new WeakSet<Socket>();
  private connections = 0;
  private underWay = 0;
  private refused = 0;
  private telling?: NodeJS.Timeout;

  constructor(
    private readonly env: Pick<Env, 'HTTP_MAX_CONNECTIONS' | 'HTTP_MAX_REQUESTS'>,
    private readonly requestId: (request: IncomingMessage) => string,
    headers: Headers,
  ) {
    this.headers = Object.entries(headers).flat();
  }

  /**
   * Fastify's server, asked before Fastify is: in an overload most requests are refused, and what Fastify and Nest do for
   * each of them would cost the time that is missing.
   */
  serverFor(handle: RequestListener, options: FastifyHttpOptions<Server>): Server {
    const server = createServer(options.http ?? {}, (request, response) => {
      if (this.admits(request, response)) handle(request, response);
    });
    server.keepAliveTimeout = options.keepAliveTimeout ?? server.keepAliveTimeout;
    server.maxConnections = this.env.HTTP_MAX_CONNECTIONS + RESERVE;
    server.on('connection', (socket) => {
      this.connections += 1;
      if (this.connections > this.env.HTTP_MAX_CONNECTIONS) this.surplus.add(socket);
      socket.once('close', () => (this.connections -= 1));
    });
    return server;
  }

  /** Answers 503 when there are too many requests under way, or too many connections. */
  private admits(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url?.startsWith(NEVER_SHED)) return true;
    const isSurplus = this.surplus.has(request.socket);
    if (isSurplus || this.underWay >= this.env.HTTP_MAX_REQUESTS) {
      this.refuse(request, response, isSurplus);
      return false;
    }
    this.underWay += 1;
    // Emitted once, whether the answer was sent or its client has gone.
    response.once('close', () => (this.underWay -= 1));
    return true;
  }

  private refuse(request: IncomingMessage, response: ServerResponse, close: boolean): void {
    const id = this.requestId(request);
    const body = BODY_BEFORE_ID + id + BODY_AFTER_ID;
    if (close) response.shouldKeepAlive = false;
    response.writeHead(OVERLOADED.status, [
      'content-type', 'application/json; charset=utf-8',
      'retry-after', String(RETRY_AFTER),
      'x-request-id', id,
      'content-length', String(body.length),
      ...this.headers,
    ]); // prettier-ignore
    response.end(body, 'latin1');
    this.refused += 1;
    requestShed.tell({ reason: close ? 'connections' : 'requests' });
    this.telling ??= setTimeout(() => this.tell(), TELL_EVERY).unref();
  }

  private tell(): void {
    this.logger.warn(
      `Refused ${this.refused} requests: ${this.underWay} under way, ${this.connections} connections.`,
    );
    this.refused = 0;
    this.telling = undefined;
  }
}
