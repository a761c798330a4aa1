import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { InFlight } from './in-flight.js';
import { Readiness } from './readiness.js';

@Module({ controllers: [HealthController], providers: [InFlight, Readiness] })
export class HealthModule {}
