// Makes the JWT a portal SPA calls the API with.
import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { nanoid } from 'nanoid';
import type { ContactDetail } from '../contacts/contact.dto.js';
import { PortalSettings } from './portal-settings.js';
import { SigningKeysService } from './signing-keys.service.js';

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
   * holds one connection, and must not wait for another.
   */
  async issuer(): Promise<IssueToken> {
    const { sharedSecret } = this.settings;
    if (sharedSecret) {
      const secret = new TextEncoder().encode(sharedSecret);
      return (contact, sessionId) =>
        this.claims(contact, sessionId).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(secret);
    }
    const { kid, key } = await this.keys.signer();
    return (contact, sessionId) =>
      this.claims(contact, sessionId).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid }).sign(key);
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
