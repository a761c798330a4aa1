// Makes the JWT a portal SPA calls the API with.
import { Injectable } from '@nestjs/common';
import { type CryptoKey, type JWTHeaderParameters, SignJWT } from 'jose';
import { nanoid } from 'nanoid';
import { SESSION_COOKIE } from '../auth/session-cookie.js';
import type { ContactDetail } from '../contacts/contact.dto.js';
import { PortalSettings } from './portal-settings.js';
import { SigningKeysService } from './signing-keys.service.js';

/** Browsers drop a cookie without a word when its name and value are longer than 4,096 bytes together. */
const LONGEST_TOKEN = 4_096 - SESSION_COOKIE.length;

/** Signs a token for a session of the contact. */
export type IssueToken = (contact: ContactDetail, sessionId: string) => Promise<string>;

@Injectable()
export class AccessTokens {
  constructor(
    private readonly settings: PortalSettings,
    private readonly keys: SigningKeysService,
  ) {}

  /**
   * What signs tokens, which live `settings.accessTokenSeconds`. The key is read now: whoever signs in a transaction
   * holds one connection, and must not wait for another. A token that a cookie has no room for goes without `avatar`,
   * the one long claim that nothing depends on.
   */
  async issuer(): Promise<IssueToken> {
    const { header, key } = await this.signer();
    const sign: IssueToken = (contact, sessionId) =>
      this.claims(contact, sessionId).setProtectedHeader(header).sign(key);
    return async (contact, sessionId) => {
      const token = await sign(contact, sessionId);
      return token.length <= LONGEST_TOKEN ? token : sign({ ...contact, photo_url: null }, sessionId);
    };
  }

  private async signer(): Promise<{ header: JWTHeaderParameters; key: Uint8Array | CryptoKey }> {
    const { sharedSecret } = this.settings;
    if (sharedSecret) {
      return { header: { alg: 'HS256', typ: 'JWT' }, key: new TextEncoder().encode(sharedSecret) };
    }
    const { kid, key } = await this.keys.signer();
    return { header: { alg: 'ES256', typ: 'JWT', kid }, key };
  }

  private claims(contact: ContactDetail, sessionId: string): SignJWT {
    const { issuer, audience, accessTokenSeconds } = this.settings;
    return new SignJWT({
      id: contact.id,
      email: contact.email,
      name: contact.full_name,
      avatar: contact.photo_url,
      company_id: contact.company_id,
      portal_role: contact.portal_role,
      products: contact.products,
      sid: sessionId,
    })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(contact.id)
      .setJti(nanoid())
      .setIssuedAt()
      .setExpirationTime(`${accessTokenSeconds}s`);
  }
}
