// What a route demands of its caller; a route that declares nothing is denied to everybody.
import { SetMetadata, applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';
import { AnswersErrors } from '../common/api-docs.js';
import type { ErrorCode } from '../common/errors.js';
import type { Scope } from './caller.js';

export const ACCESS = 'access';

/** `key`: the scope an API key needs, without which no key may. `portal`: whether portal users may. */
export interface RouteAccess {
  readonly key?: Scope;
  readonly portal?: true;
}

/** Sets a route's access and its OpenAPI security together. */
export function Access(access: RouteAccess): MethodDecorator {
  const security = [
    ...(access.key ? [ApiSecurity('apiKey')] : []),
    ...(access.portal ? [ApiBearerAuth('portalToken')] : []),
  ];
  const errors: ErrorCode[] = [
    'ambiguous_credentials',
    'unauthenticated',
    'forbidden',
    'insufficient_scope',
    'rate_limited',
  ];
  return applyDecorators(SetMetadata(ACCESS, access), ...security, AnswersErrors(errors));
}

/** Opens a route to everybody: health, documentation. */
export function Public(): MethodDecorator {
  return SetMetadata(ACCESS, 'public');
}
