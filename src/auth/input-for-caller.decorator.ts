// Input read by the caller's own rules: what it may not see or set does not exist for it.
import { SetMetadata, type Type, applyDecorators, createParamDecorator } from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';
import { ReadsQuery } from '../common/api-docs.js';
import { type InputRules, parseInput } from '../common/input.pipe.js';
import { READS_BODY } from '../common/strict-input.guard.js';
import type { Caller } from './caller.js';
import type { AuthenticatedRequest } from './current-caller.decorator.js';

type RulesFor<Dto> = (caller: Caller) => InputRules<Dto>;

/** The query string as a `Dto`, without the parameters that do not exist for the caller. */
export function QueryForCaller<T extends object>(Dto: Type<T>, rules: RulesFor<T>): ParameterDecorator {
  return inputForCaller('query', Dto, rules, ReadsQuery(Dto));
}

/** The body as a `Dto`, without the fields that do not exist for the caller. */
export function BodyForCaller<T extends object>(Dto: Type<T>, rules: RulesFor<T>): ParameterDecorator {
  const document = applyDecorators(SetMetadata(READS_BODY, true), ApiBody({ type: Dto }));
  return inputForCaller('body', Dto, rules, document);
}

function inputForCaller<T extends object>(
  kind: 'query' | 'body',
  Dto: Type<T>,
  rules: RulesFor<T>,
  document: MethodDecorator,
): ParameterDecorator {
  const Input = createParamDecorator((_data, context): T => {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    return parseInput(Dto, request[kind], kind, rules(request.user));
  });
  return (target, method, index) => {
    Input()(target, method, index);
    const descriptor = method && Object.getOwnPropertyDescriptor(target, method);
    if (method && descriptor) document(target, method, descriptor);
  };
}
