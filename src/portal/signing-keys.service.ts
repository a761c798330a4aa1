// The keys that sign portal tokens: next → active → retired, with every public half published.
import { Injectable } from '@nestjs/common';
import { type CryptoKey, type JWK, exportJWK, generateKeyPair, importJWK } from 'jose';
import { randomText } from '../common/ids.js';
import { Secrets } from './secrets.js';
import type { SigningKey } from './signing-key.entity.js';
import { SigningKeysRepository } from './signing-keys.repository.js';

const ALGORITHM = 'ES256';
const PURPOSE = 'signing-key';
/** How long a process may go on signing with a key after another process rotated, in ms. */
const REMEMBERED_FOR = 30_000;

export interface Signer {
  readonly kid: string;
  readonly key: CryptoKey;
}

@Injectable()
export class SigningKeysService {
  private remembered?: { signer: Signer; until: number };

  constructor(
    private readonly keys: SigningKeysRepository,
    private readonly secrets: Secrets,
  ) {}

  /** The key that signs now; the first one is made when it is first needed. */
  async signer(): Promise<Signer> {
    if (this.remembered && this.remembered.until > Date.now()) return this.remembered.signer;
    const active = (await this.keys.findActive()) ?? (await this.makeFirst());
    const jwk = JSON.parse(this.secrets.open(PURPOSE, active.sealed_private_jwk)) as JWK;
    const signer = { kid: active.kid, key: (await importJWK(jwk, ALGORITHM)) as CryptoKey };
    this.remembered = { signer, until: Date.now() + REMEMBERED_FOR };
    return signer;
  }

  /** The JWK Set that verifies every token still good: keys about to sign, signing, and retired. */
  async publicKeys(): Promise<{ keys: JWK[] }> {
    await this.signer();
    return { keys: (await this.keys.list()).map(({ public_jwk }) => public_jwk) };
  }

  /** The waiting key begins to sign. Nobody is logged out: the retired key still verifies what it signed. */
  async rotate(): Promise<Pick<SigningKey, 'kid' | 'status'>[]> {
    await this.signer();
    await this.keys.rotate(await this.make());
    this.remembered = undefined;
    return (await this.keys.list()).map(({ kid, status }) => ({ kid, status }));
  }

  private async makeFirst(): Promise<SigningKey> {
    await this.keys.insertFirst(await this.make(), await this.make());
    const active = await this.keys.findActive();
    if (!active) throw new Error('There is no active signing key.');
    return active;
  }

  private async make() {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const kid = randomText(12);
    const public_jwk = { ...(await exportJWK(publicKey)), kid, alg: ALGORITHM, use: 'sig' };
    const sealed_private_jwk = this.secrets.seal(PURPOSE, JSON.stringify(await exportJWK(privateKey)));
    return { kid, public_jwk, sealed_private_jwk };
  }
}
