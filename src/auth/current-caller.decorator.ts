// Hands the caller that the AccessGuard has established to a route.
import { type ExecutionContext, createParamDecorator } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from './caller.js';

/** A request whose caller the AccessGuard has established. */
export interface AuthenticatedRequest extends FastifyRequest {
  user: Caller;
}

/** The caller of the current request. */
export const CurrentCaller = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Caller =>
    context.switchToHttp().getRequest<AuthenticatedRequest>().user,
);

/** The id of the key or contact behind a request, for the log; undefined for an unknown caller. */
export function callerIdOf(request: FastifyRequest): string | undefined {
  const { user } = request as Partial<AuthenticatedRequest>;
  return user?.kind === 'key' ? user.keyId : user?.contactId;
}
