// API keys as passport strategies: in X-SM-Key, or as a bearer token.
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { HeaderAPIKeyStrategy } from 'passport-headerapikey';
import { statedAddress } from '../common/client-address.js';
import { ApiKeyVerifier } from './api-key-verifier.js';
import type { KeyCaller } from './caller.js';

/** passport-headerapikey hands over (key, done, request) and Nest expects done last: put them in order. */
class OrderedHeaderApiKeyStrategy extends HeaderAPIKeyStrategy {
  constructor(header: string, verify: (...args: unknown[]) => unknown) {
    super({ header, prefix: '' }, true, (key: string, done: unknown, request: unknown) =>
      verify(request, key, done),
    );
  }
}

@Injectable()
export class ApiKeyStrategy extends PassportStrategy(OrderedHeaderApiKeyStrategy, 'api-key') {
  constructor(private readonly verifier: ApiKeyVerifier) {
    super('X-SM-Key');
  }

  validate(request: FastifyRequest, key: string): Promise<KeyCaller | null> {
    return this.verifier.verify(key, statedAddress(request));
  }
}

@Injectable()
export class ApiKeyBearerStrategy extends PassportStrategy(OrderedHeaderApiKeyStrategy, 'api-key-bearer') {
  constructor(private readonly verifier: ApiKeyVerifier) {
    super('Authorization');
  }

  validate(request: FastifyRequest, header: string): Promise<KeyCaller | null> {
    return this.verifier.verify(bearerToken(header) ?? '', statedAddress(request));
  }
}

/** The token of an Authorization header with the Bearer scheme (RFC 6750; the scheme's case does not matter). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}
