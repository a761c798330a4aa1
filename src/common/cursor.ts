// The place a walk has reached: an opaque text for clients, the last row's sort keys for us.
import { ApiError } from './errors.js';
import type { Order } from './list.js';

export interface Cursor {
  /** One text per sort key, the id last. */
  readonly keys: readonly string[];
}

const KEY_FORMATS = {
  int: /^[01]$/,
  timestamptz: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?$/,
  float8: /^-?\d+(\.\d+)?(e[+-]\d+)?$/,
  text: /^/,
};

/** The cursor after the row with these sort keys. */
export function encodeCursor(orderName: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([orderName, ...keys])).toString('base64url');
}

/**
 * Reads a cursor made by `encodeCursor` for the same order; empty text starts a walk (null).
 * @throws ApiError 400 for anything else.
 */
export function decodeCursor(text: string | undefined, order: Order): Cursor | null | undefined {
  if (text === undefined) return undefined;
  if (text === '') return null;
  const [name, ...keys] = parse(text);
  if (name !== order.name) throw invalidCursor(`belongs to another order (sort=${order.name} is asked for)`);
  const types = [...(order.first ? (['int'] as const) : []), order.sort.type, 'text' as const];
  const sound = keys.length === types.length && types.every((type, index) => KEY_FORMATS[type].test(keys[index] ?? ''));
  if (!sound) throw invalidCursor();
  return { keys };
}

function parse(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw invalidCursor();
  }
  const texts = Array.isArray(value) && value.every((key) => typeof key === 'string' && isSound(key));
  if (!texts) throw invalidCursor();
  return value as string[];
}

const isSound = (text: string): boolean => text.isWellFormed() && !text.includes('\0');

function invalidCursor(why = 'is not one this service gave out'): ApiError {
  return ApiError.invalid([{ field: 'cursor', code: 'bad_format', message: `cursor ${why}.` }]);
}
