// Portal tokens: JWTs as bearer token or cookie, checked by jose first and passport-jwt after it.
import { createSecretKey } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { type JWTHeaderParameters, exportSPKI, jwtVerify } from 'jose';
import { Strategy } from 'passport-jwt';
import { isId } from '../common/ids.js';
import { bearerToken } from './api-key.strategy.js';
import type { PortalCaller } from './caller.js';
import { PortalCallersRepository } from './portal-callers.repository.js';
import { SESSION_COOKIE } from './session-cookie.js';
import { VerificationKeys } from './verification-keys.js';

export const JWT_STRATEGY = 'jwt';

/** How portal tokens are verified: by the published keys (ES256), or by a shared secret (HS256), never both. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly sharedSecret?: string;
}
export const JWT_SETTINGS = Symbol('JWT_SETTINGS');

/** Clock difference tolerated, in seconds. */
const SKEW = 5;

interface Claims {
  sub: unknown;
  sid: unknown;
}

function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && /^ses_\w{1,40}$/.test(value);
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, JWT_STRATEGY) {
  constructor(
    @Inject(JWT_SETTINGS) settings: JwtSettings,
    keys: VerificationKeys,
    private readonly callers: PortalCallersRepository,
  ) {
    const { issuer, audience } = settings;
    super({
      jwtFromRequest: portalToken,
      algorithms: [algorithmOf(settings)],
      issuer,
      audience,
      jsonWebTokenOptions: { clockTolerance: SKEW },
      secretOrKeyProvider: (_request, token: string, done) => {
        verifyStrictly(token, settings, keys).then(
          (key) => done(null, key),
          (error: unknown) => done(error as Error),
        );
      },
    });
  }

  /** Session, access, role and company are read anew, so that withdrawing them takes effect on the next request. */
  async validate({ sub, sid }: Claims): Promise<PortalCaller | null> {
    return isId('ct', sub) && isSessionId(sid) ? this.callers.find(sub, sid) : null;
  }
}

/** The token a request carries; the header goes before the cookie, which a browser sends unasked. */
export function portalToken(request: FastifyRequest): string | null {
  return bearerToken(request.headers.authorization) ?? request.cookies[SESSION_COOKIE] ?? null;
}

/**
 * Refuses what passport-jwt alone lets pass: a missing `exp`, an `iat` in the future, an unknown `crit`, a
 * foreign `typ`. Answers the key (PEM or secret) that verified the token.
 */
async function verifyStrictly(token: string, settings: JwtSettings, keys: VerificationKeys): Promise<string> {
  const { issuer, audience, sharedSecret } = settings;
  const expected = {
    issuer,
    audience,
    algorithms: [algorithmOf(settings)],
    typ: 'JWT',
    requiredClaims: ['sub', 'sid', 'exp', 'iat'],
    maxTokenAge: '1d',
    clockTolerance: SKEW,
  };
  if (sharedSecret) {
    await jwtVerify(token, createSecretKey(sharedSecret, 'utf8'), expected);
    return sharedSecret;
  }
  const { key } = await jwtVerify(token, (header: JWTHeaderParameters) => keys.find(header), expected);
  return exportSPKI(key);
}

function algorithmOf({ sharedSecret }: JwtSettings): 'HS256' | 'ES256' {
  return sharedSecret ? 'HS256' : 'ES256';
}
