// How lines are logged: JSON in production, readable on a terminal; never a secret, never personal data.
import { createRequire } from 'node:module';
import type { Params } from 'nestjs-pino';
import { type Logger, destination, pino } from 'pino';
import type { Env } from './env.js';
import { describeError, scrub } from './redact.js';

/**
 * A write per line would take a twentieth of the service's time. Lines are at most 100 ms late, and none is lost when
 * the process exits, by an uncaught error included; only SIGKILL takes the last with it.
 */
const IN_BATCHES = { sync: false, minLength: 4096, periodicFlush: 100 };

/** Options for nestjs-pino. */
export function loggerOptions(env: Env): Params {
  const pretty = env.NODE_ENV === 'development' && process.stdout.isTTY && hasPrettyPrinter();
  const options = {
    level: env.LOG_LEVEL,
    serializers: { err: describeError },
    wrapSerializers: false,
    hooks: { streamWrite: scrub },
  };
  const toTerminal = { ...options, transport: { target: 'pino-pretty', options: { singleLine: true } } };
  return {
    pinoHttp: pretty ? toTerminal : [options, destination(IN_BATCHES)],
    // Its middleware never sees a request under Fastify: request-log.ts writes the line per request instead.
    forRoutes: [],
  };
}

/** Writes the same lines before there is an application. */
export function startLogger(env: Env): Logger {
  const { pinoHttp } = loggerOptions(env);
  return Array.isArray(pinoHttp) ? pino(...pinoHttp) : pino(pinoHttp);
}

/** It is a development dependency: without it, lines stay JSON. */
function hasPrettyPrinter(): boolean {
  try {
    createRequire(import.meta.url).resolve('pino-pretty');
    return true;
  } catch {
    return false;
  }
}
