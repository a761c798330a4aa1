// The one place that says how the database is reached: Nest, the command line and the tests all use it.
import type { DataSourceOptions } from 'typeorm';
import { ApiKey } from './auth/api-key.entity.js';
import { Company } from './companies/company.entity.js';
import type { Env } from './config/env.js';
import { Contact } from './contacts/contact.entity.js';
import { PortalIdentity } from './portal/portal-identity.entity.js';
import { PortalSession } from './portal/portal-session.entity.js';
import { SigningKey } from './portal/signing-key.entity.js';

export const entities = [Company, Contact, ApiKey, SigningKey, PortalSession, PortalIdentity];

/**
 * Options for a TypeORM DataSource on `env.DATABASE_URL`.
 * The schema belongs to the migrations alone: TypeORM never changes it.
 */
export function dataSourceOptions(env: Pick<Env, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'>): DataSourceOptions {
  return {
    type: 'postgres',
    url: env.DATABASE_URL,
    entities,
    synchronize: false,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'contacts',
    connectTimeoutMS: 5_000,
    extra: { idleTimeoutMillis: 30_000 },
  };
}
