// How the process ends: not ready, no new connections, what is under way finished, everything closed.
import type { Server } from 'node:http';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { stillClosing } from './common/closing.js';
import { type Env, drainDelayOf } from './config/env.js';
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

/** The first signal finishes what is under way, the second ends at once. `release` is called last. */
export function drainOnSignal(app: NestFastifyApplication, env: Env, release: () => Promise<void>): void {
  onSignal(() => {
    onSignal(() => process.exit(1));
    drain(app, env, release).then(
      () => process.exit(0),
      (error: unknown) => {
        new Logger('Drain').error(error);
        process.exit(1);
      },
    );
  });
}

async function drain(app: NestFastifyApplication, env: Env, release: () => Promise<void>): Promise<void> {
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
  await closeDoor(app.getHttpServer());
  const closed = app.close().then(release);
  await Promise.race([closed, inFlight.quiet(SILENT_FOR)]);
  app.getHttpServer().closeAllConnections();
  await closed;
}

/** Turns of the event loop that are given to whoever waits to be let in. */
const TURNS = 1_000;

/**
 * Stops listening at a moment when nobody waits to be let in. The system cuts off those who do, and a balancer that
 * does not ask for readiness may have sent them a request already, which it must not send again.
 */
async function closeDoor(server: Server): Promise<void> {
  let hasCome = false;
  server.on('connection', () => (hasCome = true));
  for (let count = 0; count < TURNS; count += 1) {
    hasCome = false;
    const begun = performance.now();
    await turn();
    if (!hasCome && performance.now() - begun < 1) break;
  }
  server.close();
}
