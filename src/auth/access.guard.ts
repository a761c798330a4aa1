// The one guard on every route: finds out who is calling, then whether the route lets them in.
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../common/errors.js';
import { ACCESS, type RouteAccess } from './access.decorator.js';
import { looksLikeApiKey } from './api-key-format.js';
import { API_KEY_BEARER_STRATEGY, API_KEY_STRATEGY, bearerToken } from './api-key.strategy.js';
import type { Caller } from './caller.js';
import type { AuthenticatedRequest } from './current-caller.decorator.js';
import { JWT_STRATEGY } from './jwt.strategy.js';
import { OriginCheck, SESSION_COOKIE } from './session-cookie.js';

type StrategyName = typeof API_KEY_STRATEGY | typeof API_KEY_BEARER_STRATEGY | typeof JWT_STRATEGY;

@Injectable()
export class AccessGuard implements CanActivate {
  private readonly guards: Record<StrategyName, CanActivate> = {
    [API_KEY_STRATEGY]: passportGuard(API_KEY_STRATEGY),
    [API_KEY_BEARER_STRATEGY]: passportGuard(API_KEY_BEARER_STRATEGY),
    [JWT_STRATEGY]: passportGuard(JWT_STRATEGY),
  };

  constructor(
    private readonly reflector: Reflector,
    private readonly origins: OriginCheck,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<RouteAccess | 'public' | undefined>(ACCESS, context.getHandler());
    if (access === 'public') return true;
    if (!access)
      throw new ApiError('forbidden', { message: 'This route declares no access, so nobody has it.' });
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const strategy = strategyFor(request);
    // A browser sends cookies on its own, even for another site's page: only then the origin matters.
    const { headers, cookies } = request;
    const byCookie =
      bearerToken(headers.authorization) === undefined && cookies[SESSION_COOKIE] !== undefined;
    if (byCookie) this.origins.require(request);
    await this.guards[strategy].canActivate(context);
    request.user = { ...request.user, origin: { address: request.ip, requestId: request.id } };
    requireAccess(access, request.user);
    return true;
  }
}

/** Chooses by what the request carries; two credentials at once are refused, never ranked. */
function strategyFor({ headers, cookies }: FastifyRequest): StrategyName {
  const keyHeader = headers['x-sm-key'] !== undefined;
  const bearerKey = looksLikeApiKey(bearerToken(headers.authorization));
  const bearerOther = headers.authorization !== undefined && !bearerKey;
  const token = bearerOther || cookies[SESSION_COOKIE] !== undefined;
  if ([keyHeader, bearerKey, token].filter(Boolean).length > 1) throw new ApiError('ambiguous_credentials');
  if (keyHeader) return API_KEY_STRATEGY;
  return bearerKey ? API_KEY_BEARER_STRATEGY : JWT_STRATEGY;
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

/** Nest's passport guard, every failure of which is the same 401; only a dead database shows through. */
function passportGuard(strategy: StrategyName): CanActivate {
  const Guard = class extends AuthGuard(strategy) {
    override handleRequest<User>(error: unknown, user: User | false): User {
      if (error) throw error;
      if (!user) throw new ApiError('unauthenticated');
      return user;
    }
  };
  return new Guard({});
}
