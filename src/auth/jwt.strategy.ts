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
import { JWT_SETTINGS, type JwtSettings } from './jwt-settings.js';
import { PortalCallersRepository } from './portal-callers.repository.js';
import { SESSION_COOKIE } from './session-cookie.js';
import { VerificationKeys } from './verification-keys.js';
import { type Claims, VerifiedTokens } from './verified-tokens.js';

/** Clock difference tolerated, in seconds. */
const SKEW = 5;

function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && /^ses_\w{1,40}$/.test(value);
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor(
    @Inject(JWT_SETTINGS) settings: JwtSettings,
    keys: VerificationKeys,
    private readonly callers: PortalCallersRepository,
    private readonly verified: VerifiedTokens,
  ) {
    const { issuer, audience } = settings;
    super({
      jwtFromRequest: portalToken,
      algorithms: [algorithmOf(settings)],
      issuer,
      audience,
      jsonWebTokenOptions: { clockTolerance: SKEW },
      passReqToCallback: true,
      secretOrKeyProvider: (_request, token: string, done) => {
        verifyStrictly(token, settings, keys).then(
          (key) => done(null, key),
          (error: unknown) => done(error as Error),
        );
      },
    });
  }

  /** A token verified a moment ago is not verified again; what it stands for is. */
  override authenticate(request: Parameters<Strategy['authenticate']>[0], options?: object): void {
    // The types are Express's.
    const claims = this.verified.recall(portalToken(request as unknown as FastifyRequest) ?? '');
    if (!claims) return super.authenticate(request, options);
    this.callerOf(claims).then(
      (caller) => (caller ? this.success(caller) : this.fail(401)),
      (error: unknown) => this.error(error as Error),
    );
  }

  async validate(request: FastifyRequest, claims: Claims): Promise<PortalCaller | null> {
    this.verified.remember(portalToken(request) ?? '', claims, (claims.exp + SKEW) * 1000);
    return this.callerOf(claims);
  }

  /** Session, access, role and company are read anew, so that withdrawing them takes effect on the next request. */
  private async callerOf({ sub, sid }: Claims): Promise<PortalCaller | null> {
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
