// A route that takes no query parameters refuses each one, as the others refuse those they do not know.
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import { READS_QUERY } from './api-docs.js';
import { ApiError } from './errors.js';
import { unknownName } from './input.pipe.js';

/** A guard and not an interceptor: a single one of those would put every answer through an Observable. */
@Injectable()
export class StrictQueryGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { query } = context.switchToHttp().getRequest<FastifyRequest>();
    const names = Object.keys(query as object);
    if (names.length > 0 && !readsQuery(context)) {
      throw ApiError.invalid(names.map((name) => unknownName(name, [], 'query')));
    }
    return true;
  }
}

function readsQuery(context: ExecutionContext): boolean {
  const handler = context.getHandler();
  if (Reflect.hasMetadata(READS_QUERY, handler)) return true;
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) as
    object | undefined;
  return Object.keys(parameters ?? {}).some((kind) => kind.startsWith(`${RouteParamtypes.QUERY}:`));
}
