// Portal tokens: ES256 JWTs in the Authorization header, checked by jose first and passport-jwt after it.
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import {
  type CryptoKey,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  createLocalJWKSet,
  exportSPKI,
  jwtVerify,
} from 'jose';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { isId } from '../common/ids.js';
import type { PortalCaller } from './caller.js';
import { PortalCallersRepository } from './portal-callers.repository.js';

export const JWT_STRATEGY = 'jwt';

/** How portal tokens are verified; `keys` null refuses them all. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: JSONWebKeySet | null;
}
export const JWT_SETTINGS = Symbol('JWT_SETTINGS');

const ALGORITHMS: 'ES256'[] = ['ES256'];
/** Clock difference tolerated, in seconds. */
const SKEW = 5;

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, JWT_STRATEGY) {
  constructor(
    @Inject(JWT_SETTINGS) settings: JwtSettings,
    private readonly callers: PortalCallersRepository,
  ) {
    const { issuer, audience } = settings;
    const keys = createLocalJWKSet(settings.keys ?? { keys: [] });
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      algorithms: ALGORITHMS,
      issuer,
      audience,
      jsonWebTokenOptions: { clockTolerance: SKEW },
      secretOrKeyProvider: (_request, token: string, done) => {
        verifyStrictly(token, keys, { issuer, audience }).then(
          (key) => done(null, key),
          (error: unknown) => done(error as Error),
        );
      },
    });
  }

  /** Access, role and company are read anew, so that withdrawing them takes effect on the next request. */
  async validate({ sub }: { sub: unknown }): Promise<PortalCaller | null> {
    return isId('ct', sub) ? this.callers.findById(sub) : null;
  }
}

/**
 * Refuses what passport-jwt alone lets pass: a missing `exp`, an `iat` in the future, an unknown `crit`, a
 * foreign `typ`. Answers the public key (PEM) that verified the token.
 */
async function verifyStrictly(
  token: string,
  keys: JWTVerifyGetKey,
  expected: { issuer: string; audience: string },
): Promise<string> {
  const { key } = await jwtVerify(token, keys, {
    ...expected,
    algorithms: ALGORITHMS,
    typ: 'JWT',
    requiredClaims: ['sub', 'exp', 'iat'],
    maxTokenAge: '1d',
    clockTolerance: SKEW,
  });
  // A key set only ever answers CryptoKeys.
  return exportSPKI(key as CryptoKey);
}
