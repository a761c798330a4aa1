import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { JSONWebKeySet } from 'jose';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { AccessGuard } from './access.guard.js';
import { ApiKeyChanges, LISTEN_URL } from './api-key-changes.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import { ApiKeyBearerStrategy, ApiKeyStrategy } from './api-key.strategy.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeysRepository } from './api-keys.repository.js';
import { ApiKeysService } from './api-keys.service.js';
import { JWT_SETTINGS, type JwtSettings, JwtStrategy } from './jwt.strategy.js';
import { PortalCallersRepository } from './portal-callers.repository.js';

@Module({
  controllers: [ApiKeysController],
  providers: [
    ApiKeysService,
    ApiKeysRepository,
    ApiKeyVerifier,
    ApiKeyChanges,
    ApiKeyStrategy,
    ApiKeyBearerStrategy,
    JwtStrategy,
    PortalCallersRepository,
    { provide: APP_GUARD, useClass: AccessGuard },
    {
      provide: LISTEN_URL,
      inject: [ENV],
      useFactory: (env: Env) => env.DATABASE_DIRECT_URL ?? env.DATABASE_URL,
    },
    {
      provide: JWT_SETTINGS,
      inject: [ENV],
      useFactory: (env: Env): JwtSettings => ({
        issuer: env.JWT_ISSUER ?? '',
        audience: env.JWT_AUDIENCE ?? '',
        keys: env.JWT_JWKS ? (JSON.parse(env.JWT_JWKS) as JSONWebKeySet) : null,
      }),
    },
  ],
  exports: [ApiKeysService],
})
export class AuthModule {}
