// The public keys that verify portal tokens.
import { Inject, Injectable } from '@nestjs/common';
import { type JSONWebKeySet, type JWK, type JWTHeaderParameters, createLocalJWKSet, errors } from 'jose';
import { DataSource } from 'typeorm';
import { MAX_TOKEN_SECONDS } from '../config/env.js';
import { JWT_SETTINGS, type JwtSettings } from './jwt-settings.js';

/** Keys are read anew after this time, and at most this often for a key id nobody knows, in ms. */
const REMEMBERED_FOR = 60_000;
const UNKNOWN_EVERY = 1_000;

/** Of signing keys: those that may have signed a token that is good still; processes read the keys now and then only. */
export const VERIFYING = `(retired_at IS NULL OR retired_at > now() - interval '${MAX_TOKEN_SECONDS + 300} seconds')`;

type KeySet = ReturnType<typeof createLocalJWKSet>;

@Injectable()
export class VerificationKeys {
  private keys?: { set: KeySet; text: string; readAt: number };
  private reading?: Promise<KeySet>;

  constructor(
    private readonly db: DataSource,
    @Inject(JWT_SETTINGS) private readonly settings: JwtSettings,
  ) {}

  /** What tokens are verified by: the keys as they were last read, until they are to be read anew, or the shared secret. */
  get current(): object | undefined {
    if (this.settings.sharedSecret) return this.settings;
    return this.keys && performance.now() - this.keys.readAt < REMEMBERED_FOR ? this.keys.set : undefined;
  }

  /** The key a token's header names. @throws JWKSNoMatchingKey for an unknown one. */
  async find(header: JWTHeaderParameters): ReturnType<KeySet> {
    const known = await this.read(REMEMBERED_FOR);
    try {
      return await known(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // Another process may just have rotated.
      return (await this.read(UNKNOWN_EVERY))(header);
    }
  }

  private async read(maxAge: number): Promise<KeySet> {
    if (this.keys && performance.now() - this.keys.readAt < maxAge) return this.keys.set;
    // Whoever comes meanwhile waits for the same: anybody may send tokens of unknown keys, as many as they like.
    this.reading ??= this.readNow().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readNow(): Promise<KeySet> {
    const rows = await this.db.query<{ public_jwk: JWK }[]>(
      `SELECT public_jwk FROM signing_key WHERE ${VERIFYING} ORDER BY kid`,
    );
    const keySet: JSONWebKeySet = { keys: rows.map((row) => row.public_jwk) };
    const text = JSON.stringify(keySet);
    // The same set as before, unless it differs: what it has verified goes on being verified.
    const set = this.keys?.text === text ? this.keys.set : createLocalJWKSet(keySet);
    this.keys = { set, text, readAt: performance.now() };
    return set;
  }
}
