// Holds an answer against the published contract: openapi.json must document its status and describe its body.
import { readFileSync } from 'node:fs';
import { registerSchema, unregisterSchema, validate } from '@hyperjump/json-schema/openapi-3-1';
import type { Response } from 'supertest';

interface OpenApi {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, Content> }> }>>;
}

interface Failure {
  error?: { code?: string };
}

interface Content {
  /** By error code. */
  examples?: Record<string, unknown>;
}

const DOCUMENT = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as OpenApi;
const URI = 'https://contacts.test/openapi.json';
const validators = new Map<string, Awaited<ReturnType<typeof validate>>>();
let registered = false;

/** What is wrong with a request before it has a route. */
const OF_NO_ROUTE = new Set(['malformed_request', 'request_timeout', 'url_too_long', 'headers_too_large']);

/** Fails when the answer is not as documented: its status, the code of an error, and the shape of its body. */
export async function expectDocumented(method: string, path: string, response: Response): Promise<void> {
  const route = matchRoute(method, path.split('?')[0] ?? '');
  const status = String(response.status);
  if (status === '304') return;
  const described = DOCUMENT.paths[route ?? '']?.[method]?.responses[status]?.content;
  const { code } = (response.body as Failure | undefined)?.error ?? {};
  const known = response.status < 300 ? described : described?.['application/json']?.examples?.[code ?? ''];
  if (route && !known && !OF_NO_ROUTE.has(code ?? ''))
    throw new Error(`${method} ${route} ${status} ${code ?? ''} is not documented`);
  const pointer =
    route && described
      ? `/paths/${escape(route)}/${method}/responses/${status}/content/application~1json/schema`
      : '/components/schemas/Error';
  const output = (await validator(pointer))(response.body, 'DETAILED');
  if (!output.valid) {
    const body = JSON.stringify(response.body, null, 1).slice(0, 2_000);
    throw new Error(
      `${method} ${path} ${status} is not as ${pointer} says:\n${JSON.stringify(output.errors)}\n${body}`,
    );
  }
}

async function validator(pointer: string): Promise<Awaited<ReturnType<typeof validate>>> {
  if (!registered) {
    unregisterSchema(URI);
    registerSchema(DOCUMENT as never, URI, 'https://spec.openapis.org/oas/3.1/dialect/base');
    registered = true;
  }
  const known = validators.get(pointer) ?? (await validate(`${URI}#${encodeURI(pointer)}`));
  validators.set(pointer, known);
  return known;
}

function matchRoute(method: string, path: string): string | undefined {
  return Object.keys(DOCUMENT.paths).find((route) => {
    const pattern = new RegExp(`^${route.replace(/\{[^}]+\}/g, '[^/]+')}$`);
    return pattern.test(path) && DOCUMENT.paths[route]?.[method] !== undefined;
  });
}

const escape = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');
