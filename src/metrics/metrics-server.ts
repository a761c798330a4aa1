// Answers Prometheus on a port of its own, which no balancer leads to.
import { once } from 'node:events';
import { type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { Servers } from '../common/servers.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { ContactCounts } from '../contacts/contact-counts.js';
import { Jobs } from '../mail/jobs.js';
import { watchAccess } from './access-metrics.js';
import { watchBacklogs } from './backlog-metrics.js';
import { watchDatabase } from './database-metrics.js';
import { describeProcess } from './process-metrics.js';
import { watchRequests } from './request-metrics.js';

@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly registry = new Registry();
  private server?: Server;
  private stopWatching: readonly (() => void)[] = [];

  constructor(
    @Inject(ENV) private readonly env: Env,
    private readonly servers: Servers,
    private readonly jobs: Jobs,
    private readonly counts: ContactCounts,
    /** Nest's own is not listened to before the start is complete. */
    private readonly logger: PinoLogger,
  ) {}

  /** Watches from now on, if there is anybody to tell. @throws Error when the port is taken. */
  async onApplicationBootstrap(): Promise<void> {
    const { METRICS_PORT: port, METRICS_HOST: host } = this.env;
    if (port === undefined) return;
    const { registry } = this;
    collectDefaultMetrics({ register: registry });
    describeProcess(registry);
    watchBacklogs(registry, this.jobs, this.counts);
    this.stopWatching = [
      watchRequests(registry),
      watchDatabase(registry, this.servers),
      watchAccess(registry),
    ];
    this.server = createServer((request, response) => void this.answer(request.url, response));
    this.server.listen(port, host);
    await once(this.server, 'listening').catch((error: Error) => {
      throw new Error(`METRICS_PORT ${port} cannot be listened on: ${error.message}`, { cause: error });
    });
    // Unheard, it would end the process.
    this.server.on('error', (error) => this.logger.error(`Could not let a connection in: ${error.message}`));
    this.logger.info(`Metrics are at ${this.url}`);
  }

  /** Where they are; undefined where there are none. */
  get url(): string | undefined {
    const address = this.server?.address() as AddressInfo | undefined;
    const host = address?.family === 'IPv6' ? `[${address.address}]` : address?.address;
    return address && `http://${host}:${address.port}/metrics`;
  }

  onApplicationShutdown(): void {
    for (const stop of this.stopWatching) stop();
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private async answer(url: string | undefined, response: ServerResponse): Promise<void> {
    if (url !== '/metrics') return void response.writeHead(404).end();
    try {
      const text = await this.registry.metrics();
      response.writeHead(200, { 'content-type': this.registry.contentType }).end(text);
    } catch (error) {
      this.logger.error({ err: error }, 'Metrics could not be read.');
      response.writeHead(500).end();
    }
  }
}
