// The application: every module, the global pipe and filter.
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LoggerModule } from 'nestjs-pino';
import { AuditModule } from './audit/audit.module.js';
import { AuthModule } from './auth/auth.module.js';
import { CommonModule } from './common/common.module.js';
import { NoConnection } from './common/database-errors.js';
import { ErrorFilter } from './common/error.filter.js';
import { InputPipe } from './common/input.pipe.js';
import { CompaniesModule } from './companies/companies.module.js';
import { ConfigModule } from './config/config.module.js';
import type { Env } from './config/env.js';
import { loggerOptions } from './config/logger.js';
import { ContactsModule } from './contacts/contacts.module.js';
import { dataSourceOptions, replicaOf } from './data-source.js';
import { HealthModule } from './health/health.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PortalModule } from './portal/portal.module.js';
import { RetentionModule } from './retention/retention.module.js';
import { TracesModule } from './traces/traces.module.js';

/** A database that has let somebody in already may be slow to do so again; what it refuses, it refuses for good. */
const FIRST_CONNECTION = {
  retryAttempts: 5,
  retryDelay: 500,
  toRetry: (error: unknown): boolean => error instanceof NoConnection && !error.code,
};

@Module({})
export class AppModule {
  static with(env: Env): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.with(env),
        LoggerModule.forRoot(loggerOptions(env)),
        TypeOrmModule.forRoot({ ...dataSourceOptions(env), ...FIRST_CONNECTION }),
        CommonModule.with(replicaOf(env)),
        AuthModule,
        AuditModule,
        CompaniesModule,
        ContactsModule,
        PortalModule,
        RetentionModule,
        HealthModule,
        MetricsModule,
        TracesModule,
      ],
      providers: [
        { provide: APP_PIPE, useClass: InputPipe },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
    };
  }
}
