// OpenAPI decorators for what routes answer: the envelopes are written here once.
import { SetMetadata, type Type, applyDecorators } from '@nestjs/common';
import {
  type ApiQueryOptions,
  ApiExtension,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiQuery,
  ApiResponse,
  getSchemaPath,
} from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from './errors.js';
import { READS_QUERY } from './strict-input.guard.js';

interface SchemaObject {
  [key: string]: unknown;
}

const envelope = (data: SchemaObject): SchemaObject => ({
  type: 'object',
  required: ['ok', 'data'],
  additionalProperties: false,
  properties: { ok: { enum: [true] }, data },
});

/** 200 with `Model` as data, or with one of several models by who is asking. */
export function AnswersOk(summary: string, Model: Type | Type[], errors: ErrorCode[] = []): MethodDecorator {
  return answers(200, summary, [Model].flat(), errors);
}

/** 201 with `Model` as data. */
export function AnswersCreated(summary: string, Model: Type, errors: ErrorCode[] = []): MethodDecorator {
  return answers(201, summary, [Model], errors);
}

/** 202 with `Model` as data. */
export function AnswersAccepted(summary: string, Model: Type, errors: ErrorCode[] = []): MethodDecorator {
  return answers(202, summary, [Model], errors);
}

function answers(status: number, summary: string, models: Type[], errors: ErrorCode[]): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary }),
    ApiExtraModels(...models),
    ApiResponse({ status, description: summary, schema: envelope(anyOf(models)) }),
    AnswersErrors(['invalid_request', ...errors]),
  );
}

function anyOf(models: readonly Type[]): SchemaObject {
  const references = models.map((Model) => ({ $ref: getSchemaPath(Model) }));
  return references.length === 1 && references[0] ? references[0] : { anyOf: references };
}

/**
 * 200 with a page of `Item`, or of one of several models by who is asking; with `Choice`, items may instead hold
 * those of its fields that were asked for.
 */
export function AnswersPage(summary: string, Item: Type | Type[], Choice?: Type): MethodDecorator {
  const models = [Item, Choice ?? []].flat();
  const items = anyOf(models);
  const data = {
    type: 'object',
    required: ['items', 'page', 'limit', 'hasMore'],
    additionalProperties: false,
    properties: {
      items: { type: 'array', items },
      total: { type: 'integer', minimum: 0, description: 'Exact; absent with total=0.' },
      page: { type: 'integer', minimum: 1 },
      limit: { type: 'integer', minimum: 1, maximum: 100 },
      hasMore: { type: 'boolean' },
      ...(Choice && {
        next_cursor: {
          type: 'string',
          nullable: true,
          description: 'Only when cursor was sent; null at the end.',
        },
      }),
    },
  };
  return applyDecorators(
    ApiOperation({ summary }),
    ApiExtraModels(...models),
    ApiResponse({ status: 200, description: summary, schema: envelope(data) }),
    AnswersErrors(['invalid_request']),
  );
}

/** Extension under which routes collect their error codes until `errorResponses` spells them out. */
export const ERROR_CODES = 'x-error-codes';

export interface CollectedCodes {
  readonly codes: ErrorCode[];
}

/** Adds codes to the error answers of a route. */
export function AnswersErrors(codes: ErrorCode[]): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const known = Reflect.getMetadata(ERROR_CODES, handler) as CollectedCodes | undefined;
    if (known) {
      // Swagger keeps the first value of an extension: later codes join it in place.
      known.codes.push(...codes);
      return;
    }
    const collected: CollectedCodes = { codes: [...codes] };
    Reflect.defineMetadata(ERROR_CODES, collected, handler);
    ApiExtension(ERROR_CODES, collected)(target, key, descriptor);
  };
}

/** OpenAPI responses for these codes, by status, with an example of each. */
export function errorResponses(codes: readonly ErrorCode[]): Record<string, SchemaObject> {
  const statuses = [...new Set(codes.map((code) => ERRORS[code].status))].toSorted((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const examples = Object.fromEntries(
        codes
          .filter((code) => ERRORS[code].status === status)
          .map((code) => [code, { value: exampleOf(code) }]),
      );
      const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' }, examples } };
      return [status, { description: Object.keys(examples).join(', '), content }];
    }),
  );
}

function exampleOf(code: ErrorCode): object {
  return {
    ok: false,
    error: { code, message: ERRORS[code].message, request_id: '5f6c1a2e-0d1b-4c8e-9a57-2f1f0a3b9c11' },
  };
}

/** Every failure's shape, as a component named Error. */
export const ERROR_SCHEMA: SchemaObject = {
  type: 'object',
  required: ['ok', 'error'],
  additionalProperties: false,
  properties: {
    ok: { enum: [false] },
    error: {
      type: 'object',
      required: ['code', 'message', 'request_id'],
      additionalProperties: false,
      properties: {
        code: { type: 'string', enum: Object.keys(ERRORS) },
        message: { type: 'string' },
        field: { type: 'string' },
        details: { type: 'array', items: { type: 'object', additionalProperties: true } },
        request_id: { type: 'string' },
      },
    },
  },
};

/** Headers of answers, as components. */
export const ANSWER_HEADERS = {
  'RateLimit-Policy': {
    description:
      'The limit, q requests in w seconds; absent where there is none (draft-ietf-httpapi-ratelimit-headers-11).',
    schema: { type: 'string' },
    example: '"key";q=600;w=60',
  },
  RateLimit: {
    description: 'What is left of it, r requests, and in how many seconds there is more.',
    schema: { type: 'string' },
    example: '"key";r=599;t=1',
  },
  'Retry-After': {
    description: 'Whole seconds to wait.',
    schema: { type: 'integer', minimum: 1 },
  },
} as const;

/** The headers of an answer with `status`; the limits are those of callers that are known. */
export function answerHeaders(status: string, callerIsKnown: boolean): SchemaObject | undefined {
  const names: (keyof typeof ANSWER_HEADERS)[] = [
    ...(callerIsKnown ? (['RateLimit-Policy', 'RateLimit'] as const) : []),
    ...(status === '429' || status === '503' ? (['Retry-After'] as const) : []),
  ];
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** A route whose parameters are not ours to name, and so not refused. */
export function ReadsAnyQuery(): MethodDecorator {
  return SetMetadata(READS_QUERY, true);
}

/** What a parameter, other than a property, says beside its schema. */
const BESIDE_SCHEMA = new Set(['required', 'isArray', 'description', 'allowEmptyValue']);

/** Documents the query parameters of `Dto` on a route that does not take them by `@Query()`, whence Swagger has them. */
export function ReadsQuery(Dto: Type): MethodDecorator {
  const model = Dto.prototype as object;
  const names = (Reflect.getMetadata('swagger/apiModelPropertiesArray', model) as string[]).map((name) =>
    name.slice(1),
  );
  const parameters = names.map((name) => {
    const property = Reflect.getMetadata('swagger/apiModelProperties', model, name) as SchemaObject;
    const { description, example, allowEmptyValue } = property;
    const schema = Object.fromEntries(Object.entries(property).filter(([key]) => !BESIDE_SCHEMA.has(key)));
    return ApiQuery({
      name,
      required: false,
      description,
      example,
      allowEmptyValue,
      schema,
    } as ApiQueryOptions);
  });
  return applyDecorators(SetMetadata(READS_QUERY, true), ...parameters);
}

/** Documents the If-None-Match header and the 304 it brings. */
export function EtagHeaders(): MethodDecorator {
  return applyDecorators(
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'An ETag: 304 while nothing has changed.',
    }),
    ApiResponse({ status: 304, description: 'Not modified since the ETag in If-None-Match.' }),
  );
}

/** Documents the If-Match header. */
export function IfMatchHeader(): MethodDecorator {
  return ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'An ETag: 412 when something has changed since; details name the fields.',
  });
}

/** Documents the header by which a read makes do with what its caller has written. */
export function ConsistencyHeader(): MethodDecorator {
  return ApiHeader({
    name: 'X-Consistency-Token',
    required: false,
    description:
      'The token in the answer to your last write, which has one where the service reads from a replica. The read sees ' +
      'at least that write, and may come sooner. Without it, it sees everything that was written before.',
  });
}
