// Whether the process can serve, for balancers; why it cannot is for the log alone.
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { closing } from '../common/closing.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { SchemaProbe } from '../database/schema-probe.js';

/** Until a database that says nothing counts as gone, in ms; a balancer should wait a little longer. */
export const DATABASE_WITHIN = 2_000;

@Injectable()
export class Readiness implements OnApplicationShutdown {
  private readonly logger = new Logger(Readiness.name);
  private readonly probe: SchemaProbe;
  private isDraining = false;
  private asking?: Promise<boolean>;
  private hindrance: string | null = null;

  constructor(@Inject(ENV) env: Env) {
    this.probe = new SchemaProbe(env.DATABASE_URL, DATABASE_WITHIN);
  }

  /** Not ready from now on, for good. */
  drain(): void {
    this.isDraining = true;
  }

  /** However many ask at once, the database is asked one question at a time. */
  async isReady(): Promise<boolean> {
    if (this.isDraining) return false;
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return (await this.asking) && !this.isDraining;
  }

  async onApplicationShutdown(): Promise<void> {
    await closing('the health check', () => this.probe.end());
  }

  private async ask(): Promise<boolean> {
    const hindrance = await this.findHindrance();
    // Told when it changes, for it is asked every second.
    if (hindrance !== this.hindrance) {
      if (hindrance) this.logger.warn(`Not ready: ${hindrance}`);
      else this.logger.log('Ready again.');
    }
    this.hindrance = hindrance;
    return hindrance === null;
  }

  private async findHindrance(): Promise<string | null> {
    try {
      const missing = await this.probe.missingMigrations();
      return missing.length === 0 ? null : `the database lacks ${missing.join(', ')}`;
    } catch (error) {
      return `the database does not answer: ${(error as Error).message}`;
    }
  }
}
