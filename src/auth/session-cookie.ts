// The portal token as a cookie, and the rule that makes cookies safe: a write names where it comes from.
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../common/errors.js';

export const SESSION_COOKIE = 'sm_client';

/** Origins that may send writes with cookies. */
export const ALLOWED_ORIGINS = Symbol('ALLOWED_ORIGINS');

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

@Injectable()
export class OriginCheck {
  constructor(@Inject(ALLOWED_ORIGINS) private readonly origins: readonly string[]) {}

  /** @throws ApiError 403 for a write whose Origin is missing or not allowed: it could be another site's. */
  require(request: FastifyRequest): void {
    if (READS.has(request.method)) return;
    const { origin } = request.headers;
    if (origin === undefined || !this.origins.includes(origin)) {
      throw new ApiError('forbidden', {
        message: 'A write with cookies needs an Origin that is allowed here.',
      });
    }
  }
}
