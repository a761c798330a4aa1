// What is logged: one line per request, JSON in production, readable on a terminal; never a credential.
import type { Params } from 'nestjs-pino';
import type { Env } from './env.js';

const SECRETS = ['req.headers["x-sm-key"]', 'req.headers.authorization', 'req.headers.cookie'];

/** Options for nestjs-pino. */
export function loggerOptions(env: Env): Params {
  const pretty = env.NODE_ENV === 'development' && process.stdout.isTTY;
  return {
    pinoHttp: {
      level: env.LOG_LEVEL,
      transport: pretty ? { target: 'pino-pretty', options: { singleLine: true } } : undefined,
      redact: { paths: SECRETS, censor: '[redacted]' },
      quietReqLogger: true,
      serializers: {
        // The path without its query: filters and searches hold personal data.
        req: ({ method, url }: { method: string; url: string }) => ({ method, url: url.split('?')[0] }),
        res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
      },
    },
  };
}
