import { Global, Module } from '@nestjs/common';
import { IdSource } from './ids.js';

@Global()
@Module({ providers: [IdSource], exports: [IdSource] })
export class CommonModule {}
