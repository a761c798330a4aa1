// The one place that says how the database is reached: Nest, the command line and the tests all use it.
import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { ApiKey } from './auth/api-key.entity.js';
import { ImpatientPool } from './common/impatient-pool.js';
import { Company } from './companies/company.entity.js';
import { type Env, isPooled } from './config/env.js';
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
    Partial<
      Pick<
        Env,
        'DATABASE_TIMEOUT_MS' | 'DATABASE_DIRECT_URL' | 'DATABASE_POOL_WAIT_MS' | 'DATABASE_POOL_QUEUE'
      >
    >,
): DataSourceOptions {
  const timeout = env.DATABASE_TIMEOUT_MS;
  return {
    type: 'postgres',
    url: env.DATABASE_URL,
    entities,
    synchronize: false,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'contacts',
    // For a new connection as well as for one that others have.
    connectTimeoutMS: Math.min(timeout ?? 5_000, env.DATABASE_POOL_WAIT_MS ?? Infinity),
    driver: { ...pg, Pool: ImpatientPool },
    // The server cancels a slow query; should it not even do that, the connection is lost.
    extra: {
      // A crowd that comes after a while shall not have to wait for ten new ones.
      idleTimeoutMillis: 600_000,
      // What goes silent meanwhile is noticed before somebody asks on it.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      maxWaiting: env.DATABASE_POOL_QUEUE,
      isPooled: isPooled(env),
      // A pooler in transaction mode refuses these at start-up: there the role sets them (ALTER ROLE … SET).
      ...(!isPooled(env) && {
        statement_timeout: timeout,
        // Of a process whose machine is gone the server hears nothing: its locks end with this.
        idle_in_transaction_session_timeout: timeout,
        // Compiling a search takes longer than running it, and its estimated cost sets it off on a large table. With the
        // usual 4 MB of memory PostgreSQL forgets which of many documents matched, and compares all on their pages.
        options: '-c jit=off -c work_mem=16MB',
      }),
      query_timeout: timeout && timeout + GRACE,
    },
  };
}

/** The replica to read from, not yet connected; null when there is none. */
export function replicaOf(env: Env): DataSource | null {
  const { DATABASE_REPLICA_URL: url } = env;
  return url ? new DataSource(dataSourceOptions({ ...env, DATABASE_URL: url })) : null;
}
