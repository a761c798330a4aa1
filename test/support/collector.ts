// A collector of traces: takes what comes by OTLP over HTTP as JSON, and shows it.
import { once } from 'node:events';
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  /** 2 is a server, 3 a client. */
  kind: number;
  attributes: Record<string, unknown>;
  /** 2 is an error. */
  status: { code?: number };
  events: unknown[];
}

type Value = { stringValue?: string; intValue?: string | number; arrayValue?: { values: Value[] } };
type Attribute = { key: string; value: Value };

export class Collector {
  readonly spans: CollectedSpan[] = [];
  /** Attributes of the service that sent them. */
  resource: Record<string, unknown> = {};
  headers: IncomingHttpHeaders = {};
  /** All that was received, as it came. */
  received = '';

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      void this.answer(request, response);
    });
  }

  static async start(): Promise<Collector> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Collector(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  /** The span of a request with this id. */
  requestSpan(id: string): CollectedSpan | undefined {
    return this.spans.find(({ attributes }) => attributes['http.request.header.x-request-id'] === id);
  }

  childrenOf({ spanId }: CollectedSpan): CollectedSpan[] {
    return this.spans.filter(({ parentSpanId }) => parentSpanId === spanId);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (request.url === '/v1/traces') this.take(body, request.headers);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }

  private take(body: string, headers: IncomingHttpHeaders): void {
    this.received += body;
    this.headers = headers;
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      this.resource = plain(resource.attributes);
      for (const { spans } of scopeSpans)
        for (const span of spans) this.spans.push({ ...span, attributes: plain(span.attributes) });
    }
  }
}

function plain(attributes: Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

/** A list of one is that one. */
function plainValue({ stringValue, intValue, arrayValue }: Value): unknown {
  if (arrayValue) return arrayValue.values.map(plainValue).join(', ');
  return stringValue ?? Number(intValue);
}
