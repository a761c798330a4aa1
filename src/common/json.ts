// Reading what comes over the wire: JSON bodies and query strings, refused unless they are sound Unicode.
import { parse as parseJson } from 'secure-json-parse';
import { ApiError, type FaultCode } from './errors.js';

/** Deepest nesting of a body; PostgreSQL and JSON.stringify both give up some thousand levels deeper. */
const MAX_DEPTH = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * The value of a JSON body; undefined for an empty one.
 * @throws ApiError 400 for malformed UTF-8 or JSON, prototype keys, NUL, lone surrogates, numbers beyond a
 * double, integers beyond 2^53, and nesting deeper than 64.
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
  const found = findUnsound(value, 0);
  if (found) throw invalid(found, 'body');
  return value;
}

/** What is wrong with a part of a body, and where: nothing is said of the way there unless there is. */
interface Unsound {
  readonly code: FaultCode;
  readonly message: string;
  /** Names and indexes, from the innermost outwards. */
  readonly way: string[];
}

function findUnsound(value: unknown, depth: number): Unsound | undefined {
  if (typeof value === 'string') return unsoundText(value);
  if (typeof value === 'number') return unsoundNumber(value);
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= MAX_DEPTH) return unsound('too_deep', `is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const found = findUnsound(value[index], depth + 1);
      if (found) return inside(String(index), found);
    }
    return undefined;
  }
  for (const key of Object.keys(value)) {
    const found = unsoundText(key);
    if (found) return found;
    const further = findUnsound((value as Record<string, unknown>)[key], depth + 1);
    if (further) return inside(key, further);
  }
  return undefined;
}

function unsoundText(text: string): Unsound | undefined {
  if (text.includes('\0')) return unsound('bad_format', 'holds a NUL character');
  if (!text.isWellFormed()) return unsound('bad_format', 'holds half of a surrogate pair');
  return undefined;
}

/** From here on JavaScript writes an integer with an exponent, and so, most likely, did who sent it. */
const ROUND = 1e21;

/** Neither can be trusted to be kept as it was sent: a double has no such numbers, or not all of them. */
function unsoundNumber(value: number): Unsound | undefined {
  if (!Number.isFinite(value)) return unsound('out_of_range', 'is a number too large to keep');
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < ROUND)
    return unsound(
      'out_of_range',
      'is an integer beyond ±9007199254740991, where not every one can be kept; send it as text',
    );
  return undefined;
}

const unsound = (code: FaultCode, message: string): Unsound => ({ code, message, way: [] });

function inside(name: string, found: Unsound): Unsound {
  found.way.push(name);
  return found;
}

/** Longer names of fields are cut: whoever sent one knows it, and need not be sent it back. */
const SHOWN = 100;

function invalid({ code, message, way }: Unsound, whole: string): ApiError {
  const field = way.toReversed().join('.').slice(0, SHOWN) || whole;
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
  const found = unsoundText(decoded);
  if (found) throw invalid(found, 'query');
  return decoded;
}
