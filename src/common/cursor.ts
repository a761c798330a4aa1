// The place a walk has reached: an opaque text for clients, the last row's sort keys for us.
import { ApiError } from './errors.js';
import { isTimestamp } from './fields.js';
import type { Order } from './order.js';

export interface Cursor {
  /** One text per sort key, the id last. */
  readonly keys: readonly string[];
  /** In an order that puts one row first: the id of that row, empty where there was none. */
  readonly first?: string;
}

/** Whether PostgreSQL can read a key as the type: a forged cursor must not make it fail. */
const IS_KEY: Record<Order['sort']['type'], (text: string) => boolean> = {
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

/** The text that `decodeCursor` reads. */
export function encodeCursor({ name }: Order, { keys, first }: Cursor): string {
  return Buffer.from(JSON.stringify([name, ...(first === undefined ? [] : [first]), ...keys])).toString(
    'base64url',
  );
}

/**
 * Reads a cursor made by `encodeCursor` for the same order; empty text starts a walk (null).
 * @throws ApiError 400 for anything else.
 */
export function decodeCursor(text: string | undefined, order: Order): Cursor | null | undefined {
  if (text === undefined) return undefined;
  if (text === '') return null;
  const [name, ...rest] = parse(text);
  if (name !== order.name) throw invalidCursor(`belongs to another order (sort=${order.name} is asked for)`);
  const [first, keys] = order.first ? [rest[0], rest.slice(1)] : [undefined, rest];
  const types = [order.sort.type, 'text' as const];
  const sound = keys.length === types.length && types.every((type, index) => IS_KEY[type](keys[index] ?? ''));
  if (!sound) throw invalidCursor();
  return { keys, first };
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
