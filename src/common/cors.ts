// CORS: whose pages may call, with cookies, and read what they are answered.
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type Env, allowedOrigins } from '../config/env.js';

/** How long a browser may remember what a portal is allowed. */
const PREFLIGHT_SECONDS = 600;
/** So many different origins are told of: whoever calls may name any. */
const MOST_TOLD = 20;
/** What a page of a portal may read of an answer, beside its body. */
const EXPOSED = [
  'ETag',
  'Idempotency-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Consistency-Token',
  'X-Request-Id',
];

/** Of answers that no hook sees. */
export function corsHeaders(origins: readonly string[], origin: string | undefined): Record<string, string> {
  if (origin === undefined || !origins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': EXPOSED.join(', '),
    vary: 'Origin',
  };
}

/** Tells a developer why a page cannot read what it is answered: its browser does not let it say so itself. */
function tellOnce(): (origin: string) => void {
  const logger = new Logger('Cors');
  const told = new Set<string>();
  return (origin) => {
    if (told.size >= MOST_TOLD || told.has(origin)) return;
    told.add(origin);
    logger.warn(`Pages of ${origin} cannot call this service: it is not in PORTAL_ORIGINS.`);
  };
}

/** CORS: pages of these origins may call us, with cookies; no other page may read an answer or send a write. */
export function admitPortals(app: NestFastifyApplication, env: Env): void {
  const origins = allowedOrigins(env);
  const tell = env.NODE_ENV === 'production' ? () => undefined : tellOnce();
  app.enableCors({
    // Called without an origin for everything that is not from a browser.
    origin: (origin, decide) => {
      const isAllowed = origin !== undefined && origins.includes(origin);
      if (origin !== undefined && !isAllowed) tell(origin);
      decide(null, isAllowed);
    },
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    // Not X-SM-Key: a key has no place in a browser.
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'X-Consistency-Token',
      'X-Request-Id',
    ],
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
}
