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
import { ConcurrencyLimit } from './concurrency-limit.js';
import { ApiError, errorBody } from './errors.js';
import { LinkedList } from './linked-list.js';
import type { Headers } from './security-headers.js';
import { requestShed } from './signals.js';
import { SlowReaders } from './slow-readers.js';

/** Connections beyond the limit that are still listened to: to be told so, and for the balancer to ask for our health. */
const RESERVE = 64;
/** Whoever asks these wants to know whether we live: to refuse would be to say no. */
const HEALTH = new Set(['/health/live', '/health/ready']);
const RETRY_AFTER = 1;
/** At most one line in so many ms tells how many were refused. */
const TELL_EVERY = 1_000;

const OVERLOADED = new ApiError('overloaded');
const [BEFORE_ID = '', AFTER_ID = ''] = JSON.stringify(errorBody(OVERLOADED, '\n')).split('\\n');

/** As balancers ask: whatever is more than that could be anything, and as much of it as anybody likes. */
function asksForHealth({ method, url = '', headers }: IncomingMessage): boolean {
  if (!HEALTH.has(url) || (method !== 'GET' && method !== 'HEAD')) return false;
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

type Settings = Pick<Env, 'HTTP_MAX_CONNECTIONS' | 'HTTP_MAX_REQUESTS' | 'HTTP_RESPONSE_TIMEOUT_MS'>;

/**
 * Asked before Fastify is: in an overload most requests are refused, and what Fastify and Nest do for each of them would
 * cost the time that is missing. Of those accepted as many run at once as the process can serve; the others wait.
 */
export class LoadShedding {
  private readonly logger = new Logger(LoadShedding.name);
  /** Names and values in turns. */
  private readonly headers: readonly string[];
  private readonly surplus = new WeakSet<Socket>();
  private readonly limit: ConcurrencyLimit;
  private readonly slow: SlowReaders;
  /** What starts each request that waits, in the order they came. */
  private readonly waiting = new LinkedList<() => void>();
  private connections = 0;
  private running = 0;
  private refused = 0;
  private telling?: NodeJS.Timeout;

  constructor(
    private readonly settings: Settings,
    private readonly requestId: (request: IncomingMessage) => string,
    headers: Headers,
    /** Those by which a page of this origin may read an answer. */
    private readonly corsHeaders: (origin: string | undefined) => Headers,
  ) {
    this.headers = Object.entries(headers).flat();
    this.limit = new ConcurrencyLimit(settings.HTTP_MAX_REQUESTS);
    this.slow = new SlowReaders(settings.HTTP_RESPONSE_TIMEOUT_MS);
  }

  /** Fastify's server, with `handle` for what is accepted. */
  serverFor(handle: RequestListener, options: FastifyHttpOptions<Server>): Server {
    const server = createServer(options.http ?? {}, (request, response) => {
      if (asksForHealth(request)) handle(request, response);
      else if (this.isBeyond(request)) this.refuse(request, response);
      else this.accept(response, () => handle(request, response));
    });
    // Expectations we do not know are not met (RFC 9110, section 10.1.1); Node would refuse them without our headers.
    server.on('checkExpectation', (request, response) => server.emit('request', request, response));
    server.keepAliveTimeout = options.keepAliveTimeout ?? server.keepAliveTimeout;
    server.on('connection', (socket) => this.admit(socket));
    server
      .once('listening', () => {
        this.limit.watch(() => this.startNext());
        this.slow.start();
      })
      .once('close', () => {
        this.limit.stop();
        this.slow.stop();
      });
    return server;
  }

  private admit(socket: Socket): void {
    this.connections += 1;
    socket.once('close', () => (this.connections -= 1));
    const surplus = this.connections - this.settings.HTTP_MAX_CONNECTIONS;
    if (surplus > 0) this.surplus.add(socket);
    if (surplus > RESERVE) socket.destroy();
  }

  private isBeyond({ socket }: IncomingMessage): boolean {
    return this.running + this.waiting.size >= this.settings.HTTP_MAX_REQUESTS || this.surplus.has(socket);
  }

  /** Runs `start` now, or when it is its turn, or never if the client has gone by then. */
  private accept(response: ServerResponse, start: () => void): void {
    const run = (): void => {
      this.running += 1;
      this.slow.watch(response);
      start();
    };
    const isNext = this.running < this.limit.current;
    const giveUp = isNext ? undefined : this.waiting.add(run);
    // Emitted once, whether the answer was sent or its client has gone.
    response.on('close', () => {
      if (!giveUp?.()) this.running -= 1;
      this.startNext();
    });
    if (isNext) run();
  }

  private startNext(): void {
    while (this.waiting.size > 0 && this.running < this.limit.current) this.waiting.shift()?.();
  }

  private refuse(request: IncomingMessage, response: ServerResponse): void {
    const id = this.requestId(request);
    const isSurplus = this.surplus.has(request.socket);
    const body = BEFORE_ID + id + AFTER_ID;
    if (isSurplus) response.shouldKeepAlive = false;
    response.writeHead(OVERLOADED.status, [
      'content-type', 'application/json; charset=utf-8',
      'retry-after', String(RETRY_AFTER),
      'x-request-id', id,
      'content-length', String(body.length),
      ...this.headers,
      ...Object.entries(this.corsHeaders(request.headers.origin)).flat(),
    ]); // prettier-ignore
    response.end(body, 'latin1');
    this.refused += 1;
    requestShed.tell({ reason: isSurplus ? 'connections' : 'requests' });
    this.telling ??= setTimeout(() => this.tell(), TELL_EVERY).unref();
  }

  private tell(): void {
    const { refused, running, waiting, connections } = this;
    this.logger.warn(
      `Refused ${refused} requests: ${running} run, ${waiting.size} wait, on ${connections} connections.`,
    );
    this.refused = 0;
    this.telling = undefined;
  }
}
