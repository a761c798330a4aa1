// A route that takes no query parameters, or no body, refuses each name there, as the others refuse those they do not
// know.
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import { parseInput } from './input.pipe.js';

/** Mark a route that reads its query parameters, or its body, by a decorator of ours. */
export const READS_QUERY = 'reads-query';
export const READS_BODY = 'reads-body';

/** The DTO of a route that takes none. */
class Nothing {} // oxlint-disable-line typescript/no-extraneous-class -- it has no fields

/** A guard and not an interceptor: a single one of those would put every answer through an Observable. */
@Injectable()
export class StrictInputGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { query, body } = context.switchToHttp().getRequest<FastifyRequest>();
    if (Object.keys(query as object).length > 0 && !reads(context, RouteParamtypes.QUERY, READS_QUERY)) {
      parseInput(Nothing, query, 'query');
    }
    if (body !== undefined && !reads(context, RouteParamtypes.BODY, READS_BODY)) {
      parseInput(Nothing, body, 'body');
    }
    return true;
  }
}

/** Whether the route takes it by Nest's decorator, or says that it does by one of ours. */
function reads(context: ExecutionContext, type: RouteParamtypes, mark: string): boolean {
  const handler = context.getHandler();
  if (Reflect.hasMetadata(mark, handler)) return true;
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) as
    object | undefined;
  return Object.keys(parameters ?? {}).some((key) => key.startsWith(`${type}:`));
}
