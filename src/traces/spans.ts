// A span per request and one per statement in it, after OpenTelemetry's semantic conventions; no value a caller sent.
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  defaultTextMapGetter,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { FastifyRequest } from 'fastify';
import { DatabaseError } from 'pg';
import {
  type Ending,
  type Exchange,
  type Statement,
  gathered,
  requestBegun,
  requestEnded,
  sentTogether,
  statements,
  whenDone,
} from '../common/signals.js';
import { scrub } from '../config/redact.js';

/** Fastify's own, around the handler: by then a body was read, in the context of the socket. */
const handlers = tracingChannel<readonly Span[] | undefined, { request: FastifyRequest }>(
  'fastify.request.handler',
);
const propagator = new W3CTraceContextPropagator();

/** Traces from now on. Answers how to stop. */
export function traceRequests(tracer: Tracer): () => void {
  /** The spans of the requests that something is done for. */
  const current = new AsyncLocalStorage<readonly Span[] | undefined>();
  const requests = new WeakMap<FastifyRequest, Span>();
  /** Those of what they have asked for, until it is sent. */
  const waiting = new WeakMap<object, readonly Span[]>();
  const running = new WeakMap<Statement, readonly Span[]>();

  const begin = (exchange: Exchange): readonly Span[] => {
    const span = startRequest(tracer, exchange);
    exchange.traceId = span.spanContext().traceId;
    requests.set(exchange.request, span);
    return [span];
  };
  const send = (message: unknown): void => {
    // What no request asked for, such as folding changes, is no part of a trace.
    const parents = (current.getStore() ?? []).filter((parent) => parent.isRecording());
    const statement = message as Statement;
    running.set(
      statement,
      parents.map((parent) => startStatement(tracer, parent, statement)),
    );
  };

  const stops = [
    requestBegun.bind(current, begin),
    requestEnded.listen(({ exchange, ending }) => endRequest(requests.get(exchange.request), ending)),
    gathered.listen((item) =>
      waiting.set(item, [...(waiting.get(item) ?? []), ...(current.getStore() ?? [])]),
    ),
    sentTogether.bind(current, ({ items }) => items.flatMap((item) => waiting.get(item) ?? [])),
    whenDone(statements, (statement) => {
      for (const span of running.get(statement) ?? []) endStatement(span, statement);
    }),
  ];
  handlers.start.bindStore(current, ({ request }) => {
    const span = requests.get(request);
    return span && [span];
  });
  statements.start.subscribe(send);
  return () => {
    for (const stop of stops) stop();
    handlers.start.unbindStore(current);
    statements.start.unsubscribe(send);
  };
}

function startRequest(tracer: Tracer, { request }: Exchange): Span {
  const { method, headers, routeOptions, protocol } = request;
  const route = routeOptions.url;
  const attributes: Attributes = {
    'http.request.method': method,
    'http.route': route,
    'url.scheme': protocol,
    // Chosen by the caller, as in the log.
    'http.request.header.x-request-id': [scrub(request.id)],
  };
  const name = route ? `${method} ${route}` : method;
  // Not its tracestate, in which a caller may write anything.
  const { traceparent } = headers;
  const from = propagator.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter);
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, from);
}

function endRequest(span: Span | undefined, { status, caller }: Ending): void {
  if (!span) return;
  span.setAttribute('http.response.status_code', status);
  if (caller) span.setAttribute('enduser.id', caller);
  if (status >= 500) fail(span, String(status));
  span.end();
}

function startStatement(tracer: Tracer, parent: Span, { text, client }: Statement): Span {
  const operation = /\w+/.exec(text)?.[0].toUpperCase() ?? '';
  const attributes: Attributes = {
    'db.system.name': 'postgresql',
    'db.namespace': client.database,
    'db.operation.name': operation,
    // With placeholders: values only ever travel as parameters.
    'db.query.text': text,
    'server.address': client.host,
    'server.port': client.port,
  };
  return tracer.startSpan(
    operation,
    { kind: SpanKind.CLIENT, attributes },
    trace.setSpan(ROOT_CONTEXT, parent),
  );
}

function endStatement(span: Span, { error }: Statement): void {
  if (error) {
    const code = error instanceof DatabaseError ? error.code : undefined;
    if (code) span.setAttribute('db.response.status_code', code);
    // Not its message, which may quote values.
    fail(span, code ?? 'connection');
  }
  span.end();
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
