// Identifiers: a kind's prefix and random characters.
import { customAlphabet } from 'nanoid';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/** `length` characters of `[0-9a-z]` from the system's cryptographic source. */
export const randomText = customAlphabet(ALPHABET, 12);

export type IdPrefix = 'ct' | 'co';

/** Makes identifiers; a provider of its own so that a test can make it repeat itself. */
export class IdSource {
  /** A new identifier, such as `ct_a1b2c3d4`. */
  next(prefix: IdPrefix): string {
    return `${prefix}_${randomText(8)}`;
  }

  /** Runs `insert` with a new identifier, and again with another while it answers null: that one is taken. */
  async assign<Row>(prefix: IdPrefix, insert: (id: string) => Promise<Row | null>): Promise<Row> {
    for (;;) {
      const row = await insert(this.next(prefix));
      if (row) return row;
    }
  }
}

/** Whether `value` is a well-formed identifier of the kind; imported ones may have any length up to 32. */
export function isId(prefix: IdPrefix, value: unknown): value is string {
  return typeof value === 'string' && new RegExp(`^${prefix}_[a-z0-9]{1,32}$`).test(value);
}
