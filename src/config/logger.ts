// How lines are logged: JSON in production, readable on a terminal; never a secret, never personal data.
import { createRequire } from 'node:module';
import type { Params } from 'nestjs-pino';
import { type Logger, pino } from 'pino';
import sonic from 'sonic-boom';
import type { Env } from './env.js';
import { describeError, scrub } from './redact.js';

/**
 * A write per line would take a twentieth of the service's time. Lines are at most 100 ms late, and none is lost when
 * the process exits, by an uncaught error included; only SIGKILL takes the last with it. While they cannot be written,
 * so many bytes of them are kept, and what is beyond is lost.
 */
const IN_BATCHES = { sync: false, minLength: 4096, periodicFlush: 100, maxLength: 8 * 1024 * 1024 };

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

let output: sonic.SonicBoom | undefined;

/**
 * A log that cannot be written, as on a full disk, costs lines and no process. (Not pino's own destination, which would
 * let such an error end the process, and has an older writer that never comes back from writing its last lines there.)
 */
function standardOutput(): sonic.SonicBoom {
  if (output) return output;
  const stream = new sonic.SonicBoom({ fd: process.stdout.fd, ...IN_BATCHES });
  stream.on('error', tellLoss);
  stream.on('drop', () => tellLoss(new Error('nobody takes its lines')));
  process.on('exit', () => {
    try {
      stream.flushSync();
    } catch (error) {
      tellLoss(error as Error);
    }
  });
  return (output = stream);
}

let isLossTold = false;

/** Once for the life of the process: every further try fails alike. */
function tellLoss({ message }: Error): void {
  if (isLossTold) return;
  isLossTold = true;
  process.stderr.write(`The log cannot be written: ${message}. The service goes on, and lines are lost.\n`);
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
