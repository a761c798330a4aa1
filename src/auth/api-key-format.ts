// The text of an API key: smk_<12-character id>_<43-character secret><6-character checksum>.
import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { randomText } from '../common/ids.js';

const PREFIX = 'smk_';
const FORMAT = /^smk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})([0-9A-Za-z]{6})$/;
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export interface ApiKeyParts {
  id: string;
  secret: string;
}

/** A new key id: 12 characters of `[0-9a-z]`. */
export function newKeyId(): string {
  return randomText(12);
}

/** A new secret: 256 random bits as 43 characters of base64url. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** The key as handed to its owner. */
export function formatApiKey({ id, secret }: ApiKeyParts): string {
  const body = `${PREFIX}${id}_${secret}`;
  return body + checksum(body);
}

/** The parts of a key, or null for text that cannot be one: a typo is found without asking the database. */
export function parseApiKey(text: string): ApiKeyParts | null {
  const match = FORMAT.exec(text);
  if (!match) return null;
  const [, id = '', secret = '', check = ''] = match;
  return checksum(text.slice(0, -6)) === check ? { id, secret } : null;
}

/** Whether a bearer token is meant to be an API key rather than a JWT. */
export function looksLikeApiKey(token: string | undefined): boolean {
  return token?.startsWith(PREFIX) ?? false;
}

/** What is stored in place of a secret. With 256 random bits a plain SHA-256 cannot be reversed by guessing. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** CRC-32 in six digits of base 62: against typos, not against forgery. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let position = 0; position < 6; position += 1) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
