// Hands a route the attempt that it answers: the request with its Idempotency-Key, if it has one.
import { type ExecutionContext, applyDecorators, createParamDecorator } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { AnswersErrors } from '../common/api-docs.js';
import { ApiError } from '../common/errors.js';
import type { AuthenticatedRequest } from './current-caller.decorator.js';

/** One attempt at a write; a retry brings the same key and asks for the same. */
export interface Attempt {
  readonly key?: string;
  readonly request: AuthenticatedRequest;
  readonly reply: FastifyReply;
}

const HEADER = 'Idempotency-Key';
/** Visible ASCII. A header that was sent twice arrives joined by a comma and a space, and is refused with them. */
const KEY = /^[\x21-\x7e]{1,255}$/;

const FromRequest = createParamDecorator((_data: unknown, context: ExecutionContext): Attempt => {
  const http = context.switchToHttp();
  const request = http.getRequest<AuthenticatedRequest>();
  return { key: keyOf(request), request, reply: http.getResponse<FastifyReply>() };
});

/** The current attempt, for `IdempotentWritesService.once()`; documents the header and what it brings. */
export function CurrentAttempt(): ParameterDecorator {
  const document = applyDecorators(
    ApiHeader({
      name: HEADER,
      required: false,
      description:
        'Makes a retry safe: for 24 hours the same request with the same key gets the first answer again, with ' +
        '`Idempotency-Replayed: true`. 1 to 255 visible ASCII characters, such as a random UUID.',
    }),
    AnswersErrors(['in_progress', 'idempotency_key_reused']),
  ) as MethodDecorator;
  return (target, method, index) => {
    FromRequest()(target, method, index);
    const descriptor = method && Object.getOwnPropertyDescriptor(target, method);
    if (method && descriptor) document(target, method, descriptor);
  };
}

/** @throws ApiError 400 for a key that is none. */
function keyOf({ headers }: AuthenticatedRequest): string | undefined {
  const key = headers[HEADER.toLowerCase()] as string | undefined;
  if (key === undefined || KEY.test(key)) return key;
  const message = `${HEADER} must be 1 to 255 visible ASCII characters, sent once.`;
  throw ApiError.invalid([{ field: HEADER, code: 'bad_format', message }]);
}
