// Sends spans to a collector by OTLP over HTTP, in batches; a collector that is away costs spans and nothing else.
import type { Tracer } from '@opentelemetry/api';
import { ExportResultCode, parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Env } from '../config/env.js';
import { packageVersion } from '../config/version.js';

/** How long one batch may take, and how long a process that ends waits for its last ones, in ms. */
const PATIENCE = 3_000;
/** How long spans are gathered before they are sent, in ms. */
const GATHER = 1_000;

/** `warn` is told, once, when the collector no longer takes spans. */
export function startExport(
  env: Env,
  endpoint: string,
  warn: (message: string) => void,
): { tracer: Tracer; stop: () => Promise<void> } {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: parseKeyPairsIntoRecord(env.OTEL_EXPORTER_OTLP_HEADERS),
    timeoutMillis: PATIENCE,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': env.OTEL_SERVICE_NAME,
      'service.version': packageVersion,
      'deployment.environment.name': env.NODE_ENV,
    }),
    // Whoever called us has decided whether its trace is kept.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(env.OTEL_TRACES_SAMPLER_ARG) }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: tellingOnce(exporter, warn), scheduledDelayMillis: GATHER }),
    ],
  });
  return {
    tracer: provider.getTracer('contacts', packageVersion),
    stop: () => Promise.race([provider.shutdown().catch(() => undefined), late()]),
  };
}

function tellingOnce(exporter: SpanExporter, warn: (message: string) => void): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed && !isFailing)
          warn(`The collector takes no traces: ${result.error?.message ?? 'unknown'}`);
        isFailing = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

const late = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, PATIENCE).unref());
