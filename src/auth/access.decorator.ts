// What a route demands of its caller; a route that declares nothing is denied to everybody.
import { SetMetadata, applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';
import { AnswersErrors } from '../common/api-docs.js';
import type { Scope } from './caller.js';

export const ACCESS = 'access';

/** `key`: the scope an API key needs. `portal`: whether portal users may call the route at all. */
export interface RouteAccess {
  readonly key: Scope;
  readonly portal?: true;
}

/** Sets a route's access and its OpenAPI security together. */
export function Access(access: RouteAccess): MethodDecorator {
  const security = access.portal
    ? [ApiSecurity('apiKey'), ApiBearerAuth('portalToken')]
    : [ApiSecurity('apiKey')];
  const errors = ['ambiguous_credentials', 'unauthenticated', 'forbidden', 'insufficient_scope'] as const;
  return applyDecorators(SetMetadata(ACCESS, access), ...security, AnswersErrors([...errors]));
}

/** Opens a route to everybody: health, documentation. */
export function Public(): MethodDecorator {
  return SetMetadata(ACCESS, 'public');
}
