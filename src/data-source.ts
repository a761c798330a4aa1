// The one place that says how the database is reached: Nest, the command line and the tests all use it.
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { ApiKey } from './auth/api-key.entity.js';
import { ImpatientPool } from './common/impatient-pool.js';
import { Company } from './companies/company.entity.js';
import type { Env } from './config/env.js';
import { Contact } from './contacts/contact.entity.js';
import { PortalIdentity } from './portal/portal-identity.entity.js';
import { PortalSession } from './portal/portal-session.entity.js';
import { SigningKey } from './portal/signing-key.entity.js';

/** How much longer than the server's own timeout to wait for word of it, in ms. */
const GRACE = 500;

export const entities = [Company, Contact, ApiKey, SigningKey, PortalSession, PortalIdentity];

/**
 * Options for a TypeORM DataSource on `env.DATABASE_URL`.
 * The schema belongs to the migrations alone: TypeORM never changes it.
 */
export function dataSourceOptions(
  env: Pick<Env, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'> &
    Partial<Pick<Env, 'DATABASE_TIMEOUT_MS' | 'DATABASE_DIRECT_URL'>>,
): DataSourceOptions {
  const timeout = env.DATABASE_TIMEOUT_MS;
  return {
    type: 'postgres',
    url: env.DATABASE_URL,
    entities,
    synchronize: false,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'contacts',
    connectTimeoutMS: timeout ?? 5_000,
    driver: { ...pg, Pool: ImpatientPool },
    // The server cancels a slow query; should it not even do that, the connection is lost.
    extra: {
      idleTimeoutMillis: 30_000,
      // A pooler in transaction mode refuses these at start-up: there the role sets them (ALTER ROLE … SET).
      ...(!env.DATABASE_DIRECT_URL && {
        statement_timeout: timeout,
        // Compiling a search takes longer than running it, and its estimated cost sets it off on a large table.
        options: '-c jit=off',
      }),
      query_timeout: timeout && timeout + GRACE,
    },
  };
}
