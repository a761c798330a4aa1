// Portal tokens made in the test, good ones and forged ones, for a service that trusts the test's key.
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
import type { TestService } from './service.js';

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
    private readonly service: TestService,
  ) {}

  /** Environment of the service. */
  static readonly settings = { JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };

  /** Adds a key of the test's own to those the service verifies with. */
  static async trustedBy(service: TestService): Promise<TokenMaker> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: KID, alg: 'ES256', use: 'sig' };
    await service.sql(
      `INSERT INTO signing_key (kid, status, public_jwk, sealed_private_jwk) VALUES ($1, 'retired', $2, '')`,
      [KID, jwk],
    );
    return new TokenMaker(privateKey, publicKey, service);
  }

  /** A token for a session of the contact `sub`, good unless `choices` make it otherwise. */
  async sign(sub: string, { header = {}, claims = {}, key }: Choices = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const sid = `ses_${sub}`;
    await this.service.sql(
      `INSERT INTO portal_session (id, contact_id, method, idle_until, expires_at)
       SELECT $1, id, 'magic_link', now() + interval '1 day', now() + interval '1 day' FROM contact WHERE id = $2
       ON CONFLICT (id) DO UPDATE SET ended_at = NULL, end_reason = NULL`,
      [sid.replace('\0', ''), sub.replace('\0', '')],
    );
    const payload = { iss: ISSUER, aud: AUDIENCE, sub, sid, iat: now, exp: now + 900, ...claims };
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
