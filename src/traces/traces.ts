// Tracing, if a collector is configured: without one, nothing of OpenTelemetry's is even loaded.
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';

@Injectable()
export class Traces implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Traces');
  private stop?: () => Promise<void>;

  constructor(@Inject(ENV) private readonly env: Env) {}

  async onModuleInit(): Promise<void> {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = this.env;
    if (!endpoint) return;
    const { startExport } = await import('./export.js');
    const { traceRequests } = await import('./spans.js');
    const { tracer, stop } = startExport(this.env, endpoint, (message) => this.logger.warn(message));
    const stopTracing = traceRequests(tracer);
    this.stop = async () => {
      stopTracing();
      await stop();
    };
  }

  /** After the last request. */
  async onApplicationShutdown(): Promise<void> {
    await this.stop?.();
  }
}
