// The one guard on every route: finds out who is calling, then whether the route lets them in.
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientAddress } from '../common/client-address.js';
import { tokenOf } from '../common/consistency-token.js';
import { toApiError } from '../common/error.filter.js';
import { ApiError } from '../common/errors.js';
import { authenticationFailed } from '../common/signals.js';
import { ACCESS, type RouteAccess } from './access.decorator.js';
import { looksLikeApiKey } from './api-key-format.js';
import { ApiKeyBearerStrategy, ApiKeyStrategy, bearerToken } from './api-key.strategy.js';
import type { Caller } from './caller.js';
import type { AuthenticatedRequest } from './current-caller.decorator.js';
import { JwtStrategy } from './jwt.strategy.js';
import { RateLimits } from './rate-limits.js';
import { OriginCheck, SESSION_COOKIE } from './session-cookie.js';

/** What a passport strategy is to whoever runs it. */
interface Strategy {
  authenticate(request: unknown, options: object): void;
}

@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly origins: OriginCheck,
    private readonly keyInHeader: ApiKeyStrategy,
    private readonly keyAsBearer: ApiKeyBearerStrategy,
    private readonly jwt: JwtStrategy,
    private readonly limits: RateLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<RouteAccess | 'public' | undefined>(ACCESS, context.getHandler());
    if (access === 'public') return true;
    if (!access)
      throw new ApiError('forbidden', { message: 'This route declares no access, so nobody has it.' });
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const credentials = credentialsOf(request);
    const strategy = this.strategyFor(credentials);
    // A browser sends cookies on its own, even for another site's page: only then the origin matters.
    if (credentials.cookie && !credentials.bearer) this.origins.require(request);
    const caller = await authenticate(strategy, request, credentials);
    request.user = {
      ...caller,
      origin: { address: clientAddress(request), requestId: request.id },
      seen: tokenOf(request),
    };
    await this.limits.count(caller, http.getResponse<FastifyReply>());
    requireAccess(access, request.user);
    return true;
  }

  /** Chooses by what the request carries; two credentials at once are refused, never ranked. */
  private strategyFor({ keyHeader, bearerKey, token }: Credentials): Strategy {
    if (Number(keyHeader) + Number(bearerKey) + Number(token) > 1)
      throw new ApiError('ambiguous_credentials');
    if (keyHeader) return this.keyInHeader;
    return bearerKey ? this.keyAsBearer : this.jwt;
  }
}

/** What a request carries; the token is that of a portal, or whatever else stands in its place. */
type Credentials = Record<'keyHeader' | 'bearer' | 'bearerKey' | 'token' | 'cookie', boolean>;

function credentialsOf({ headers, cookies }: FastifyRequest): Credentials {
  const bearer = bearerToken(headers.authorization);
  const bearerKey = looksLikeApiKey(bearer);
  const cookie = cookies[SESSION_COOKIE] !== undefined;
  return {
    keyHeader: headers['x-sm-key'] !== undefined,
    bearer: bearer !== undefined,
    bearerKey,
    token: cookie || (headers.authorization !== undefined && !bearerKey),
    cookie,
  };
}

function requireAccess(access: RouteAccess, caller: Caller): void {
  if (caller.kind === 'portal') {
    if (!access.portal) throw new ApiError('forbidden');
  } else if (!access.key) {
    throw new ApiError('forbidden', { message: 'This route is for portal users, not for API keys.' });
  } else if (!caller.scopes.includes(access.key)) {
    throw new ApiError('insufficient_scope', { message: `The API key lacks the scope ${access.key}.` });
  }
}

/**
 * The caller a passport strategy finds behind a request; every failure is the same 401, only a dead or busy database
 * shows through. This is the part of passport's middleware that we use: the rest, for Express, costs more than the strategy.
 */
function authenticate(
  strategy: Strategy,
  request: FastifyRequest,
  credentials: Credentials,
): Promise<Caller> {
  return new Promise((resolve, reject) => {
    const refuse = (why?: unknown): void => {
      // Passport-jwt takes whatever kept it from a key for a fault of the token.
      if (why instanceof Error && toApiError(why).status === 503) return reject(why);
      authenticationFailed.tell({ credential: nameOf(credentials) });
      reject(new ApiError('unauthenticated'));
    };
    // Passport's way, too: a strategy reports to methods that an object derived from it has for one request.
    const run = Object.assign(Object.create(strategy) as Strategy, {
      success: resolve,
      fail: refuse,
      pass: refuse,
      error: reject,
    });
    run.authenticate(request, {});
  });
}

function nameOf({ keyHeader, bearerKey, token }: Credentials): 'key' | 'token' | 'none' {
  if (keyHeader || bearerKey) return 'key';
  return token ? 'token' : 'none';
}
