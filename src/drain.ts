// How the process ends: not ready, no new connections, what is under way finished, everything closed.
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { stillClosing } from './common/closing.js';
import { type Env, drainDelayOf } from './config/env.js';
import type { Doors } from './doors.js';
import { InFlight } from './health/in-flight.js';
import { Readiness } from './health/readiness.js';

/** How long a connection may stay on which no request comes: opened in advance, or stuck before its headers. */
const SILENT_FOR = 500;

let reaction: (() => void) | undefined;

/** What SIGINT and SIGTERM do from now on. */
export function onSignal(next: () => void): void {
  if (!reaction) for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => reaction?.());
  reaction = next;
}

interface Service {
  readonly app: NestFastifyApplication;
  readonly doors: Doors;
  readonly env: Env;
  /** Called last. */
  readonly release: () => Promise<void>;
}

let isAsked = false;

/** From now on a signal waits for `drainOnSignal`, since requests may be under way; a second one ends at once. */
export function holdSignals(): void {
  onSignal(() => {
    if (isAsked) process.exit(1);
    isAsked = true;
  });
}

/** The first signal finishes what is under way, the second ends at once. */
export function drainOnSignal(service: Service): void {
  onSignal(() => {
    onSignal(() => process.exit(1));
    drain(service).then(
      () => process.exit(0),
      (error: unknown) => {
        new Logger('Drain').error(error);
        process.exit(1);
      },
    );
  });
  if (isAsked) reaction?.();
}

async function drain({ app, doors, env, release }: Service): Promise<void> {
  const logger = new Logger('Drain');
  const inFlight = app.get(InFlight);
  setTimeout(() => {
    const requests = inFlight.describe();
    const rest = requests.length > 0 ? requests : stillClosing();
    const what = rest.join(', ') || 'the connections to the database';
    logger.error(`Not drained within ${env.DRAIN_TIMEOUT_MS} ms; still there: ${what}`);
    process.exit(1);
  }, env.DRAIN_TIMEOUT_MS);
  logger.log('Draining: not ready any more');
  app.get(Readiness).drain();
  inFlight.endConnections();
  // Balancers find out at their next question, and send requests until then.
  await delay(drainDelayOf(env));
  const { empty } = await doors.close();
  await Promise.race([empty, inFlight.quiet(SILENT_FOR)]);
  app.getHttpServer().closeAllConnections();
  await app.close();
  await release();
}
