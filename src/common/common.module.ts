import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { BatchedWrites } from './batched-writes.js';
import { IdSource } from './ids.js';
import { PreparedPool } from './prepared-pool.js';
import { Reads } from './reads.js';
import { Secrets } from './secrets.js';
import { REPLICA, Servers } from './servers.js';

@Global()
@Module({})
export class CommonModule {
  /** @param replica to be read from, not yet connected. */
  static with(replica: DataSource | null): DynamicModule {
    return {
      module: CommonModule,
      providers: [
        BatchedWrites,
        IdSource,
        PreparedPool,
        Reads,
        Servers,
        { provide: REPLICA, useValue: replica },
        { provide: Secrets, inject: [ENV], useFactory: (env: Env) => new Secrets(env.PORTAL_SECRET) },
      ],
      exports: [BatchedWrites, IdSource, PreparedPool, Reads, Secrets, Servers],
    };
  }
}
