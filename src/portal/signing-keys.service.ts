// The keys that sign portal tokens: next → active → retired, published as long as a token they signed may be good.
import { Injectable } from '@nestjs/common';
import { type CryptoKey, type JWK, exportJWK, generateKeyPair, importJWK } from 'jose';
import { AuditLog } from '../auth/audit-log.js';
import { randomText } from '../common/ids.js';
import { Secrets } from '../common/secrets.js';
import type { SigningKey } from './signing-key.entity.js';
import { SigningKeysRepository } from './signing-keys.repository.js';

const ALGORITHM = 'ES256';
const PURPOSE = 'signing-key';

export const NO_KEYS = 'There are no signing keys yet; the first sign-in makes them.';

export interface Signer {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** What is shown of a key. */
export interface SigningKeyView {
  readonly kid: string;
  readonly status: SigningKey['status'];
  readonly created_at: string;
}

@Injectable()
export class SigningKeysService {
  private remembered?: Signer;

  constructor(
    private readonly keys: SigningKeysRepository,
    private readonly secrets: Secrets,
    private readonly audit: AuditLog,
  ) {}

  /**
   * The key that signs now, whichever process has rotated; the first one is made when it is first needed.
   * @throws Error when PORTAL_SECRET is not the one the key was sealed with.
   */
  async signer(): Promise<Signer> {
    const active = (await this.keys.findActive()) ?? (await this.makeFirst());
    if (this.remembered?.kid === active.kid) return this.remembered;
    const jwk = JSON.parse(this.unsealed(active)) as JWK;
    this.remembered = { kid: active.kid, key: (await importJWK(jwk, ALGORITHM)) as CryptoKey };
    return this.remembered;
  }

  /** The JWK Set that verifies every token still good: keys about to sign, signing, and retired not long ago. */
  async publicKeys(): Promise<{ keys: JWK[] }> {
    let keys = await this.keys.listVerifying();
    if (keys.length === 0) {
      await this.makeFirst();
      keys = await this.keys.listVerifying();
    }
    return { keys };
  }

  /**
   * The waiting key begins to sign. Nobody is logged out: the retired key verifies as long as what it signed is good.
   * Answers the id of the key that signs from now on.
   * @throws Error when there is no key yet, or PORTAL_SECRET is another.
   */
  async rotate(): Promise<string> {
    // Whoever makes the first keys seals them, and that has to be the service.
    if (!(await this.keys.findActive())) throw new Error(NO_KEYS);
    // Under another secret than the service's, the new keys would be of no use to it.
    await this.signer();
    return this.keys.rotate(await this.make(), (kid, db) =>
      this.audit.within(db).record('signing_key_rotated', { kind: 'operator' }, {}, { kid }),
    );
  }

  /** Every key without its private half, newest first. */
  async list(): Promise<SigningKeyView[]> {
    const keys = await this.keys.list();
    return keys.map(({ kid, status, created_at }) => ({ kid, status, created_at: created_at.toISOString() }));
  }

  private async makeFirst(): Promise<SigningKey> {
    await this.keys.insertFirst(await this.make(), await this.make());
    const active = await this.keys.findActive();
    if (!active) throw new Error('There is no active signing key.');
    return active;
  }

  private unsealed({ sealed_private_jwk }: SigningKey): string {
    try {
      return this.secrets.open(PURPOSE, sealed_private_jwk);
    } catch {
      throw new Error('PORTAL_SECRET is not the one that the signing keys were sealed with.');
    }
  }

  private async make() {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const kid = randomText(12);
    const public_jwk = { ...(await exportJWK(publicKey)), kid, alg: ALGORITHM, use: 'sig' };
    const sealed_private_jwk = this.secrets.seal(PURPOSE, JSON.stringify(await exportJWK(privateKey)));
    return { kid, public_jwk, sealed_private_jwk };
  }
}
