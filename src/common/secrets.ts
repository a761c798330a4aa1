// Everything that grows from PORTAL_SECRET: derived secrets that need not be stored, and sealed ones that must.
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class Secrets {
  constructor(private readonly secret: string) {}

  /**
   * 32 bytes that only we can compute from `value` (HMAC-SHA-256 under a key of `purpose`'s own, RFC 5869).
   * The same arguments give the same bytes, so a token can be made again instead of being kept.
   */
  derive(purpose: string, value: string): Buffer {
    return createHmac('sha256', this.keyFor(purpose)).update(value).digest();
  }

  /** Encrypts and authenticates `text` (AES-256-GCM): nonce, ciphertext, tag. */
  seal(purpose: string, text: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.keyFor(purpose), nonce);
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws Error when `sealed` was altered, or sealed under another secret or purpose. */
  open(purpose: string, sealed: Buffer): string {
    const decipher = createDecipheriv(CIPHER, this.keyFor(purpose), sealed.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const text = [decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
    return Buffer.concat(text).toString('utf8');
  }

  private keyFor(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, '', purpose, 32));
  }
}

/** What is stored of a token of full entropy. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
