import { Module } from '@nestjs/common';
import { Traces } from './traces.js';

@Module({ providers: [Traces] })
export class TracesModule {}
