// How lines are logged: JSON in production, readable on a terminal; never a credential.
import { createRequire } from 'node:module';
import type { Params } from 'nestjs-pino';
import type { Env } from './env.js';

const SECRETS = ['req.headers["x-sm-key"]', 'req.headers.authorization', 'req.headers.cookie'];

/** Options for nestjs-pino. */
export function loggerOptions(env: Env): Params {
  const pretty = env.NODE_ENV === 'development' && process.stdout.isTTY && hasPrettyPrinter();
  return {
    pinoHttp: {
      level: env.LOG_LEVEL,
      transport: pretty ? { target: 'pino-pretty', options: { singleLine: true } } : undefined,
      redact: { paths: SECRETS, censor: '[redacted]' },
    },
    // Its middleware never sees a request under Fastify: request-log.ts writes the line per request instead.
    forRoutes: [],
  };
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
