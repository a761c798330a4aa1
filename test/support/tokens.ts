// Portal tokens made in the test, as sign-in would make them, and the settings under which the service takes them.
import { createHmac } from 'node:crypto';
import {
  type CryptoKey,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
  exportJWK,
  exportSPKI,
  generateKeyPair,
} from 'jose';

export const ISSUER = 'https://contacts.test';
export const AUDIENCE = 'portal';
const KID = 'test-1';

interface Choices {
  header?: Partial<JWTHeaderParameters>;
  /** Undefined leaves a claim out. */
  claims?: JWTPayload;
  /** Signs with another key under the known kid. */
  key?: CryptoKey;
}

export class TokenMaker {
  private constructor(
    private readonly privateKey: CryptoKey,
    readonly publicKey: CryptoKey,
    /** Environment of a service that trusts this maker. */
    readonly settings: Record<string, string>,
  ) {}

  static async create(): Promise<TokenMaker> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: KID, alg: 'ES256', use: 'sig' };
    const settings = {
      JWT_ISSUER: ISSUER,
      JWT_AUDIENCE: AUDIENCE,
      JWT_JWKS: JSON.stringify({ keys: [jwk] }),
    };
    return new TokenMaker(privateKey, publicKey, settings);
  }

  /** A token for the contact `sub`, good unless `choices` make it otherwise. */
  async sign(sub: string, { header = {}, claims = {}, key }: Choices = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: ISSUER, aud: AUDIENCE, sub, iat: now, exp: now + 900, ...claims };
    return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: KID, ...header })
      .sign(key ?? this.privateKey, {
        crit: Object.fromEntries((header.crit ?? []).map((name) => [name, true])),
      });
  }

  /** An HMAC token whose secret is the public key that everybody knows, for libraries that let the token choose. */
  async signWithPublicKey(sub: string): Promise<string> {
    const [, payload = ''] = (await this.sign(sub)).split('.');
    const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: KID })}.${payload}`;
    const signature = createHmac('sha256', await exportSPKI(this.publicKey))
      .update(signed)
      .digest('base64url');
    return `${signed}.${signature}`;
  }

  /** A token that names no algorithm and bears no signature. */
  async unsigned(sub: string): Promise<string> {
    const [, payload = ''] = (await this.sign(sub)).split('.');
    return `${encode({ alg: 'none', typ: 'JWT', kid: KID })}.${payload}.`;
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
