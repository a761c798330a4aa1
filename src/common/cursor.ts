// The place a walk has reached: an opaque text for clients, the last row's sort keys for us.
import { ApiError } from './errors.js';
import { isTimestamp } from './fields.js';
import type { Order } from './order.js';

export interface Cursor {
  /** One text per sort key, the id last. */
  readonly keys: readonly string[];
}

/** Whether PostgreSQL can read a key as the type: a forged cursor must not make it fail. */
const IS_KEY: Record<'int' | Order['sort']['type'], (text: string) => boolean> = {
  int: (text) => text === '0' || text === '1',
  timestamptz: (text) => {
    const [, moment, hours, minutes = '00'] =
      /^(\d{4}-.{14,21})([+-](?:0\d|1[0-5]))(?::(\d\d))?$/.exec(text) ?? [];
    return moment !== undefined && isTimestamp(`${moment.replace(' ', 'T')}${hours}:${minutes}`);
  },
  float8: (text) => /^-?\d+(\.\d+)?(e[+-]\d+)?$/.test(text) && (text === '0' || isNormal(Number(text))),
  text: () => true,
};

/** Neither an overflow nor an underflow. */
const isNormal = (value: number): boolean => Number.isFinite(value) && value !== 0;

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
  const sound = keys.length === types.length && types.every((type, index) => IS_KEY[type](keys[index] ?? ''));
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
