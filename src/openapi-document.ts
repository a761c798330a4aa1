// The API reference, generated from the code: OpenAPI 3.1 at /openapi.json, Swagger UI at /docs.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import {
  ANSWER_HEADERS,
  type CollectedCodes,
  ERROR_CODES,
  ERROR_SCHEMA,
  answerHeaders,
  errorResponses,
} from './common/api-docs.js';
import type { ErrorCode } from './common/errors.js';
import { addHeadersBelow, pageHeaders } from './common/security-headers.js';
import type { Env } from './config/env.js';
import { packageVersion } from './config/version.js';

type Json = null | string | number | boolean | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

interface Operation {
  [ERROR_CODES]?: CollectedCodes;
  responses: Record<string, { headers?: object }>;
  security?: object[];
}

/** Errors that belong to no route in particular. */
const ANYWHERE: ErrorCode[] = ['malformed_url', 'internal_error', 'overloaded', 'unavailable'];
const WITH_BODY: ErrorCode[] = ['invalid_json', 'body_too_large', 'unsupported_media_type'];

const DESCRIPTION = `People associated with companies.

Send an API key in \`X-SM-Key\`, or a portal token as \`Authorization: Bearer …\`. Every answer is
\`{"ok":true,"data":…}\` or \`{"ok":false,"error":{"code","message",…}}\`, and carries \`X-Request-Id\`.`;

/** The OpenAPI 3.1 document of the application. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Contacts')
    .setDescription(DESCRIPTION)
    .setVersion(packageVersion)
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-SM-Key' }, 'apiKey')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'portalToken')
    .addTag('contacts', 'People, each of a company or on their own.')
    .addTag('companies', 'The companies people belong to.')
    .addTag('keys', 'API keys: issue, rotate, revoke.')
    .addTag('audit', 'What was done to keys, sign-in and portal access.')
    .addTag('service', 'Health.')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${method}${controller.replace('Controller', '')}`,
  });
  const schemas = ((document.components ??= {}).schemas ??= {});
  document.components.headers = ANSWER_HEADERS;
  schemas.Error = ERROR_SCHEMA;
  for (const [name, schema] of Object.entries(schemas)) {
    // Answers are closed, so that the contract tests notice a field too many.
    if (!name.endsWith('Dto')) Object.assign(schema, { additionalProperties: false });
  }
  for (const [method, operation] of Object.values(document.paths).flatMap(
    (path) => Object.entries(path) as [string, Operation][],
  )) {
    const { codes } = operation[ERROR_CODES] ?? { codes: [] };
    // A body is read where none is wanted, too, but for what only reads.
    const all = [...codes, ...(method === 'get' ? [] : WITH_BODY), ...ANYWHERE];
    Object.assign(operation.responses, errorResponses([...new Set(all)]));
    delete operation[ERROR_CODES];
    for (const [status, response] of Object.entries(operation.responses))
      response.headers = answerHeaders(status, operation.security !== undefined);
  }
  return asOpenApi31(document as unknown as Json) as unknown as OpenAPIObject;
}

/** Serves the document and its browsable form from our own files; no other host is asked for anything. */
export function serveDocs(app: NestFastifyApplication, env: Env): void {
  const document = openApiDocument(app);
  if (env.PUBLIC_URL) document.servers = [{ url: env.PUBLIC_URL }];
  const page = pageHeaders({
    'script-src': ["'self'"],
    // Swagger UI writes styles into the page and has its pictures there.
    'style-src': ["'self'", "'unsafe-inline'"],
    'img-src': ["'self'", 'data:'],
    // "Try it out" asks where the document says we are.
    'connect-src': ["'self'", ...(env.PUBLIC_URL ? [new URL(env.PUBLIC_URL).origin] : [])],
  });
  addHeadersBelow(app.getHttpAdapter().getInstance(), '/docs', page);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Contacts API',
    swaggerOptions: {
      // In production the page shares its origin with sign-in: a key has no place in that browser's storage.
      persistAuthorization: env.NODE_ENV !== 'production',
      displayRequestDuration: true,
      tryItOutEnabled: true,
      // Or it would ask a validator elsewhere for a badge.
      validatorUrl: 'none',
    },
  });
}

/**
 * Brings the generator's OpenAPI 3.0 idiom to 3.1: `nullable` becomes a type of its own.
 */
function asOpenApi31(value: Json): Json {
  if (Array.isArray(value)) return value.map(asOpenApi31);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = value;
  const converted = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, asOpenApi31(inner)]));
  return nullable === true && typeof rest.type === 'string' ? withNull(converted) : converted;
}

function withNull(schema: JsonObject): JsonObject {
  const values = schema.enum;
  const nullable = { ...schema, type: [schema.type as string, 'null'] };
  return Array.isArray(values) && !values.includes(null)
    ? { ...nullable, enum: [...values, null] }
    : nullable;
}
