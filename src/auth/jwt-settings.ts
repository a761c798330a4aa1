// How portal tokens are verified.

/** By the published keys (ES256), or by a shared secret (HS256), never both. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly sharedSecret?: string;
}
export const JWT_SETTINGS = Symbol('JWT_SETTINGS');
