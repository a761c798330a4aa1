import { Global, Module } from '@nestjs/common';
import { IdSource } from './ids.js';
import { PreparedPool } from './prepared-pool.js';
import { Reads } from './reads.js';

@Global()
@Module({ providers: [IdSource, PreparedPool, Reads], exports: [IdSource, PreparedPool, Reads] })
export class CommonModule {}
