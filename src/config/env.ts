// The environment, read once: typed, defaulted, and refused when it is unsafe for production.
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { loadDotEnv } from './dot-env.js';
import { readSecretFiles } from './secret-files.js';
import { DEVELOPMENT_SECRET, unsafeSettings } from './unsafe.js';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  );

/** Origins exactly as browsers send them: no path, no slash at the end, no default port. */
const origins = list.refine(
  (items) => items.every(isOrigin),
  'must be origins such as https://portal.acme.com, without a path or a slash at the end',
);

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.parse(text)?.origin === text;
}

/** What Fastify takes for proxies. */
const proxy = z.union([
  z.ipv4(),
  z.ipv6(),
  z.cidrv4(),
  z.cidrv6(),
  z.enum(['loopback', 'linklocal', 'uniquelocal']),
]);
const proxies = list.refine(
  (items) => items.every((item) => proxy.safeParse(item).success),
  'must be addresses or networks such as 10.0.0.0/8',
);

/** An address with one of these schemes; without, `localhost:3000` would be one of the scheme `localhost`. */
function url(protocol: RegExp, example: string) {
  return z.url({ protocol, error: `must be a URL such as ${example}` });
}

const webUrl = (example: string) => url(/^https?$/, example);
const postgresUrl = url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/database');

/** How long something is kept. */
const days = (least: number, byDefault: number) =>
  z.coerce.number().int().min(least).max(36_500).default(byDefault);

/** The longest a portal token can be good. */
export const MAX_TOKEN_SECONDS = 3_600;

/** The most requests a minute that a limit can allow; 0 allows any number. */
export const MAX_RATE_LIMIT = 10_000_000;

/** Requests a minute. */
const rate = z.coerce.number().int().min(0).max(MAX_RATE_LIMIT);

/** Every setting, as .env.example explains them. */
export const envSchema = z
  .object({
    NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
    HOST: z.string().default('127.0.0.1'),
    PORT: z.coerce.number().int().min(0).max(65535).default(3000),
    /** Public base URL, shown in the documentation. */
    PUBLIC_URL: webUrl('https://contacts.acme.com')
      // Cookies, forms and the redirect URI all name paths of the host; a secret would go to whoever has the others.
      .refine((text) => /^[a-z]+:\/\/[^/?#]+\/*$/i.test(text), 'must be a host of its own, without a path')
      .optional(),
    DATABASE_URL: postgresUrl.optional(),
    /** For LISTEN, which needs a session of its own where DATABASE_URL goes through a transaction pooler. */
    DATABASE_DIRECT_URL: postgresUrl.optional(),
    /** A hot standby of DATABASE_URL for lists and gets; one server, not several that take turns. */
    DATABASE_REPLICA_URL: postgresUrl.optional(),
    /** Milliseconds that the replica may be behind, and that a read waits for it; beyond that it is left out. */
    DATABASE_REPLICA_MAX_LAG_MS: z.coerce.number().int().min(10).max(60_000).default(200),
    DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),
    /** Milliseconds until a connection or a query that got no answer is given up, with a 503. */
    DATABASE_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(10_000),
    /** Milliseconds a start waits for a database that is still coming up; 0 tries once. */
    DATABASE_START_TIMEOUT_MS: z.coerce.number().int().min(0).max(600_000).default(30_000),
    /** Milliseconds between being not ready and closing the door, for balancers to notice. */
    DRAIN_DELAY_MS: z.coerce.number().int().min(0).max(300_000).optional(),
    /** Milliseconds from the signal on until what is not finished is given up. */
    DRAIN_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(25_000),
    /** Milliseconds to wait for a connection of the pool, and how many may wait at once: beyond either a 503. */
    DATABASE_POOL_WAIT_MS: z.coerce.number().int().min(10).max(600_000).default(2_000),
    DATABASE_POOL_QUEUE: z.coerce.number().int().min(1).max(100_000).default(100),
    /** Connections, and requests under way, at once; what is beyond gets a 503. */
    HTTP_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(1_000_000).default(4_000),
    HTTP_MAX_REQUESTS: z.coerce.number().int().min(1).max(1_000_000).default(128),
    /** Milliseconds until a request's headers, and all of it, must have arrived. */
    HTTP_HEADERS_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(10_000),
    HTTP_REQUEST_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(30_000),
    /** Milliseconds that a client may take to read an answer. */
    HTTP_RESPONSE_TIMEOUT_MS: z.coerce.number().int().min(100).max(3_600_000).default(60_000),
    /** The largest URL, the most headers, and the largest head of a request, in bytes. */
    HTTP_MAX_URL_BYTES: z.coerce.number().int().min(1_024).max(1_048_576).default(8_192),
    HTTP_MAX_HEADERS: z.coerce.number().int().min(20).max(1_000).default(100),
    HTTP_MAX_HEADER_BYTES: z.coerce.number().int().min(4_096).max(1_048_576).default(16_384),
    /** Requests a minute of each API key that has no limit of its own, and of each portal user; 0 for any number. */
    RATE_LIMIT_KEY: rate.default(60_000),
    RATE_LIMIT_USER: rate.default(600),
    /** Wrong API keys a minute from one address, or one IPv6 network (/64); 0 for any number. */
    RATE_LIMIT_WRONG_KEYS: rate.default(100),
    /** Refused sign-ins, and sign-in mails asked for, a minute from one address, or one IPv6 network (/64); 0 for any. */
    RATE_LIMIT_SIGN_INS: rate.default(60),
    LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    /** Where Prometheus finds /metrics, away from the public port; nowhere if absent. */
    METRICS_PORT: z.coerce.number().int().min(0).max(65535).optional(),
    METRICS_HOST: z.string().default('127.0.0.1'),
    /** Base URL of a collector that takes traces by OTLP over HTTP; without it nothing is traced. */
    OTEL_EXPORTER_OTLP_ENDPOINT: webUrl('http://collector:4318').optional(),
    OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
    OTEL_SERVICE_NAME: z.string().min(1).default('contacts'),
    /** Share of requests traced, of those whose caller has not decided it. */
    OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
    /** Addresses (CIDR) of proxies whose X-Forwarded-For is believed; none by default. */
    TRUST_PROXY: proxies,
    /** Tags that name a product: they join a contact's `products`. */
    PORTAL_PRODUCTS: list,
    /** Issuer of portal tokens; PUBLIC_URL if absent. */
    JWT_ISSUER: z.string().min(1).optional(),
    JWT_AUDIENCE: z.string().min(1).default('portal'),
    /** Signs portal tokens with HS256 instead of ES256, for portals that verify with a shared secret. */
    JWT_SECRET: z.string().min(32).optional(),
    ACCESS_TOKEN_SECONDS: z.coerce.number().int().min(30).max(MAX_TOKEN_SECONDS).default(900),
    /** Seals signing keys and answers kept for retries, and derives links, codes and refresh tokens. */
    PORTAL_SECRET: z.string().min(32).default(DEVELOPMENT_SECRET),
    /** Origins of portal SPAs: where sign-in may lead, who may call with cookies. The first is the default. */
    PORTAL_ORIGINS: origins,
    PORTAL_COOKIE_DOMAIN: z.string().optional(),
    PORTAL_COOKIE_SAMESITE: z.enum(['strict', 'lax', 'none']).default('lax'),
    /** smtp://user:password@host:port; without it, development prints mail on the console. */
    SMTP_URL: url(/^smtps?$/, 'smtps://user:password@host:465').optional(),
    MAIL_FROM: z.string().default('Contacts <no-reply@localhost>'),
    /** Days a session is kept after its latest end, with its refresh tokens. */
    SESSION_RETENTION_DAYS: days(0, 30),
    /** Days a sign-in link is kept; the caps on sign-in mails count those of a day. */
    MAGIC_LINK_RETENTION_DAYS: days(2, 7),
    /** Days an audit entry is kept; the table refuses to lose it sooner than after 90. */
    AUDIT_RETENTION_DAYS: days(90, 400),
    GOOGLE_ISSUER: webUrl('https://accounts.google.com').default('https://accounts.google.com'),
    GOOGLE_CLIENT_ID: z.string().min(1).optional(),
    GOOGLE_CLIENT_SECRET: z.string().min(1).optional(),
  })
  .refine((env) => !env.GOOGLE_CLIENT_ID === !env.GOOGLE_CLIENT_SECRET, {
    path: ['GOOGLE_CLIENT_SECRET'],
    message: 'goes together with GOOGLE_CLIENT_ID: set both or none',
  })
  .refine((env) => drainDelayOf(env) < env.DRAIN_TIMEOUT_MS, {
    path: ['DRAIN_TIMEOUT_MS'],
    message: 'must exceed DRAIN_DELAY_MS, which is a part of it',
  })
  .refine((env) => env.HTTP_HEADERS_TIMEOUT_MS <= env.HTTP_REQUEST_TIMEOUT_MS, {
    path: ['HTTP_HEADERS_TIMEOUT_MS'],
    message: 'must not be longer than HTTP_REQUEST_TIMEOUT_MS, which includes it',
  });

export type Env = z.output<typeof envSchema>;

/** Path of the demo portal, which only development serves. */
export const DEMO_PATH = '/portal-demo/';

/** Our own base URL, without a slash at its end: what links start with, whatever Host a request names. */
export function publicUrlOf(env: Env): string {
  // The address of every interface is one to listen on, not one to go to.
  const place = ['0.0.0.0', '::'].includes(env.HOST) ? 'localhost' : env.HOST;
  const host = isIPv6(place) ? `[${place}]` : place;
  return (env.PUBLIC_URL ?? `http://${host}:${env.PORT}`).replace(/\/+$/, '');
}

type DatabaseUrls = Pick<Env, 'DATABASE_URL' | 'DATABASE_DIRECT_URL'>;

/** Whether DATABASE_URL leads through a pooler in transaction mode: a session is nobody's there, and keeps nothing. */
export function isPooled(env: Pick<DatabaseUrls, 'DATABASE_DIRECT_URL'>): boolean {
  return env.DATABASE_DIRECT_URL !== undefined;
}

/** Where a session is ours, and keeps what it is set to. */
export function directUrlOf(env: DatabaseUrls): string | undefined {
  return env.DATABASE_DIRECT_URL ?? env.DATABASE_URL;
}

/** Who issues portal tokens. */
export function issuerOf(env: Env): string {
  return env.JWT_ISSUER ?? publicUrlOf(env);
}

/** How long to go on accepting requests while not ready, in ms: in production as long as a balancer needs to notice. */
export function drainDelayOf(env: { DRAIN_DELAY_MS?: number; NODE_ENV: string }): number {
  return env.DRAIN_DELAY_MS ?? (env.NODE_ENV === 'production' ? 5_000 : 0);
}

/** Origins of the portals and our own. */
export function allowedOrigins(env: Env): readonly string[] {
  return [...new Set([...env.PORTAL_ORIGINS, new URL(publicUrlOf(env)).origin])];
}

/** Where a sign-in leads that names no target: the first portal, or else the demo where there is one. */
export function portalHomeOf(env: Env): string {
  const [portal] = env.PORTAL_ORIGINS;
  if (portal) return `${portal}/`;
  return publicUrlOf(env) + (env.NODE_ENV === 'production' ? '/' : DEMO_PATH);
}

/**
 * Parses `source` (the process environment, after an optional `.env` file) and the files it names into an Env.
 * @throws Error naming every variable at fault, or unsafe, one per line.
 */
export function loadEnv(source?: NodeJS.ProcessEnv): Env {
  const names = Object.keys(envSchema.shape);
  const misspelt = source || process.env.NODE_ENV === 'test' ? [] : loadDotEnv(names);
  const entries = Object.entries(source ?? process.env);
  const set = entries.filter((entry): entry is [string, string] => Boolean(entry[1]));
  const { given, faults } = readSecretFiles(Object.fromEntries(set), names);
  const parsed = envSchema.safeParse(given);
  const invalid = parsed.error?.issues.map((issue) => `${issue.path.join('.')}: ${explained(issue)}`) ?? [];
  if (!parsed.success || faults.length + misspelt.length > 0) {
    const lines = [...misspelt, ...faults, ...invalid].map((line) => `  ${line}`);
    throw new Error(`The environment is not valid:\n${lines.join('\n')}`);
  }
  const unsafe = unsafeSettings(parsed.data).map((line) => `  ${line}`);
  if (unsafe.length > 0) {
    const where = parsed.data.NODE_ENV === 'production' ? ' in production' : '';
    throw new Error(`Refusing to start${where}:\n${unsafe.join('\n')}`);
  }
  return parsed.data;
}

/** Of a number that is none, the library would say what JavaScript made of it. */
function explained(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' && issue.expected === 'number' ? 'must be a number' : issue.message;
}
