// The environment, read once: typed, defaulted, and refused when it is unsafe for production.
import { existsSync } from 'node:fs';
import { z } from 'zod';

const list = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((item) => item.trim()).filter(Boolean));

/** Every setting, as .env.example explains them. */
export const envSchema = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  /** Public base URL, shown in the documentation. */
  PUBLIC_URL: z.url().optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** For LISTEN, which needs a session of its own where DATABASE_URL goes through a transaction pooler. */
  DATABASE_DIRECT_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),
  /** Milliseconds until a connection or a query that got no answer is given up, with a 503. */
  DATABASE_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(10_000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Addresses (CIDR) of proxies whose X-Forwarded-For is believed; none by default. */
  TRUST_PROXY: list,
  /** Tags that name a product: they join a contact's `products`. */
  PORTAL_PRODUCTS: list,
  JWT_ISSUER: z.url().optional(),
  JWT_AUDIENCE: z.string().min(1).optional(),
  /** Public signing keys of portal tokens, a JWK Set as JSON text (RFC 7517). */
  JWT_JWKS: z.string().optional(),
});

export type Env = z.output<typeof envSchema>;

/** What .env.example and tutorials put where a secret belongs; none of it may reach production. */
const PLACEHOLDER = /change-?me|placeholder|example\.(com|org)|postgres:postgres@|:password@/i;

/**
 * Parses `source` (the process environment, after an optional `.env` file) into an Env.
 * @throws Error naming every variable at fault, one per line.
 */
export function loadEnv(source: NodeJS.ProcessEnv = withDotEnv()): Env {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''));
  const parsed = envSchema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The environment is not valid:\n${faults.join('\n')}`);
  }
  if (parsed.data.NODE_ENV === 'production') refuseUnsafe(parsed.data);
  return parsed.data;
}

function refuseUnsafe(env: Env): void {
  const faults: string[] = [];
  if (!env.DATABASE_URL) faults.push('  DATABASE_URL: required in production');
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === 'string' && PLACEHOLDER.test(value)) faults.push(`  ${name}: still a placeholder`);
  }
  if (env.JWT_JWKS && !(env.JWT_ISSUER && env.JWT_AUDIENCE)) {
    faults.push('  JWT_ISSUER, JWT_AUDIENCE: required with JWT_JWKS');
  }
  if (faults.length > 0) throw new Error(`Refusing to start in production:\n${faults.join('\n')}`);
}

function withDotEnv(): NodeJS.ProcessEnv {
  // Variables already set win over the file, as everywhere.
  if (process.env.NODE_ENV !== 'test' && existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}
