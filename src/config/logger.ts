// How lines are logged: JSON in production, readable on a terminal; never a secret, never personal data.
import { createRequire } from 'node:module';
import type { Params } from 'nestjs-pino';
import { type Logger, pino } from 'pino';
import type { Env } from './env.js';
import { standardOutput } from './log-output.js';
import { describeError, scrub } from './redact.js';

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
    pinoHttp: pretty ? toTerminal : [options, standardOutput()],
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
