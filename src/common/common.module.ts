import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { IdSource } from './ids.js';
import { PreparedPool } from './prepared-pool.js';
import { Reads } from './reads.js';
import { REPLICA, Servers } from './servers.js';

@Global()
@Module({})
export class CommonModule {
  /** @param replica to be read from, not yet connected. */
  static with(replica: DataSource | null): DynamicModule {
    return {
      module: CommonModule,
      providers: [IdSource, PreparedPool, Reads, Servers, { provide: REPLICA, useValue: replica }],
      exports: [IdSource, PreparedPool, Reads, Servers],
    };
  }
}
