// A route that takes no query parameters refuses each one, as the others refuse those they do not know.
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { READS_QUERY } from './api-docs.js';
import { ApiError } from './errors.js';
import { unknownName } from './input.pipe.js';

@Injectable()
export class StrictQueryInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { query } = context.switchToHttp().getRequest<FastifyRequest>();
    const names = Object.keys(query as object);
    if (names.length > 0 && !readsQuery(context)) {
      throw ApiError.invalid(names.map((name) => unknownName(name, [], 'query')));
    }
    return next.handle();
  }
}

function readsQuery(context: ExecutionContext): boolean {
  const handler = context.getHandler();
  if (Reflect.hasMetadata(READS_QUERY, handler)) return true;
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) as
    object | undefined;
  return Object.keys(parameters ?? {}).some((kind) => kind.startsWith(`${RouteParamtypes.QUERY}:`));
}
