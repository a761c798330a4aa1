import { Global, Module } from '@nestjs/common';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { IdSource } from './ids.js';
import { PreparedPool } from './prepared-pool.js';
import { Reads } from './reads.js';
import { Secrets } from './secrets.js';

@Global()
@Module({
  providers: [
    IdSource,
    PreparedPool,
    Reads,
    { provide: Secrets, inject: [ENV], useFactory: (env: Env) => new Secrets(env.PORTAL_SECRET) },
  ],
  exports: [IdSource, PreparedPool, Reads, Secrets],
})
export class CommonModule {}
