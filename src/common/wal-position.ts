// Places in the log that a primary writes and its standbys replay (pg_lsn): who has come as far has all that is before.

/** In bytes from the beginning of the log. */
export type WalPosition = bigint;

/** A place that no server ever reaches. */
export const NOWHERE = 'FFFFFFFF/FFFFFFFF';

const FORM = /^([\dA-F]{1,8})\/([\dA-F]{1,8})$/;

/** Reads what PostgreSQL writes, such as `16/B374D848`; null for any other text. */
export function walPosition(text: string): WalPosition | null {
  const [, high, low] = FORM.exec(text) ?? [];
  return high && low ? (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) : null;
}
