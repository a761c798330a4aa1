import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { StrictInputGuard } from '../common/strict-input.guard.js';
import { ENV } from '../config/config.module.js';
import { type Env, allowedOrigins, issuerOf, directUrlOf } from '../config/env.js';
import { AccessGuard } from './access.guard.js';
import { ApiKeyChanges, LISTEN_URL } from './api-key-changes.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import { ApiKeyBearerStrategy, ApiKeyStrategy } from './api-key.strategy.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeysRepository } from './api-keys.repository.js';
import { ApiKeysService } from './api-keys.service.js';
import { AuditLog } from './audit-log.js';
import { IdempotentWritesRepository } from './idempotent-writes.repository.js';
import { IdempotentWritesService } from './idempotent-writes.service.js';
import { JWT_SETTINGS, type JwtSettings } from './jwt-settings.js';
import { JwtStrategy } from './jwt.strategy.js';
import { PortalCallersRepository } from './portal-callers.repository.js';
import { ALLOWED_ORIGINS, OriginCheck } from './session-cookie.js';
import { RateLimits } from './rate-limits.js';
import { RateLimitsRepository } from './rate-limits.repository.js';
import { SharedBuckets } from './shared-buckets.js';
import { VerificationKeys } from './verification-keys.js';
import { VerifiedTokens } from './verified-tokens.js';

@Module({
  controllers: [ApiKeysController],
  providers: [
    ApiKeysService,
    ApiKeysRepository,
    ApiKeyVerifier,
    AuditLog,
    IdempotentWritesService,
    IdempotentWritesRepository,
    ApiKeyChanges,
    ApiKeyStrategy,
    ApiKeyBearerStrategy,
    JwtStrategy,
    PortalCallersRepository,
    { provide: APP_GUARD, useClass: AccessGuard },
    // After it: who is not let in learns nothing about the route.
    { provide: APP_GUARD, useClass: StrictInputGuard },
    {
      provide: LISTEN_URL,
      inject: [ENV],
      useFactory: directUrlOf,
    },
    {
      provide: JWT_SETTINGS,
      inject: [ENV],
      useFactory: (env: Env): JwtSettings => ({
        issuer: issuerOf(env),
        audience: env.JWT_AUDIENCE,
        sharedSecret: env.JWT_SECRET,
      }),
    },
    { provide: ALLOWED_ORIGINS, inject: [ENV], useFactory: allowedOrigins },
    OriginCheck,
    RateLimits,
    RateLimitsRepository,
    SharedBuckets,
    VerificationKeys,
    VerifiedTokens,
  ],
  exports: [ApiKeysService, AuditLog, IdempotentWritesService, OriginCheck, RateLimits],
})
export class AuthModule {}
