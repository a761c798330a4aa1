// Reading what comes over the wire: JSON bodies and query strings, refused unless they are sound Unicode.
import { parse as parseJson } from 'secure-json-parse';
import { ApiError } from './errors.js';

/** Deepest nesting of a body; PostgreSQL and JSON.stringify both give up some thousand levels deeper. */
const MAX_DEPTH = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * The value of a JSON body; undefined for an empty one.
 * @throws ApiError 400 for malformed UTF-8 or JSON, prototype keys, NUL, lone surrogates, numbers beyond a
 * double, and nesting deeper than 64.
 */
export function readJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  let value: unknown;
  try {
    value = parseJson(utf8.decode(body), { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    throw new ApiError('invalid_json', {
      message: `The body is not valid JSON: ${(error as Error).message}`,
    });
  }
  refuseUnsound(value, '', 0);
  return value;
}

function refuseUnsound(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') refuseUnsoundText(value, path);
  else if (typeof value === 'number' && !Number.isFinite(value)) {
    throw invalid(path, 'out_of_range', 'is a number too large to keep');
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= MAX_DEPTH)
      throw invalid(path.slice(0, 100), 'too_deep', `is nested deeper than ${MAX_DEPTH} levels`);
    for (const [key, inner] of Object.entries(value)) {
      refuseUnsoundText(key, path || 'body');
      refuseUnsound(inner, path ? `${path}.${key}` : key, depth + 1);
    }
  }
}

function refuseUnsoundText(text: string, path: string): void {
  if (text.includes('\0')) throw invalid(path, 'bad_format', 'holds a NUL character');
  if (!text.isWellFormed()) throw invalid(path, 'bad_format', 'holds half of a surrogate pair');
}

function invalid(path: string, code: string, message: string): ApiError {
  const field = path || 'body';
  return ApiError.invalid([{ field, code, message: `${field} ${message}.` }]);
}

/**
 * The parameters of a query string; a repeated one becomes a list of its first two values, for the
 * InputPipe to refuse: anybody may send it, a thousand times over.
 * @throws ApiError 400 for malformed percent-encoding or UTF-8, and for NUL.
 */
export function readQuery(text: string): Record<string, string | string[]> {
  const query = Object.create(null) as Record<string, string | string[]>;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const [name = '', ...rest] = pair.split('=');
    const key = decode(name);
    const value = decode(rest.join('='));
    const before = query[key];
    if (before === undefined) query[key] = value;
    else if (typeof before === 'string') query[key] = [before, value];
  }
  return query;
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ApiError('malformed_url');
  }
  if (decoded.includes('\0')) throw invalid('query', 'bad_format', 'holds a NUL character');
  return decoded;
}
