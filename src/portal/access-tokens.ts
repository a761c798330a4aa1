// Makes the JWT a portal SPA calls the API with.
import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { nanoid } from 'nanoid';
import type { ContactDetail } from '../contacts/contact.dto.js';
import { PortalSettings } from './portal-settings.js';
import { SigningKeysService } from './signing-keys.service.js';

@Injectable()
export class AccessTokens {
  constructor(
    private readonly settings: PortalSettings,
    private readonly keys: SigningKeysService,
  ) {}

  /** A signed token for a session of `contact`; it lives `settings.accessTokenSeconds`. */
  async issue(contact: ContactDetail, sessionId: string): Promise<string> {
    const { issuer, audience, accessTokenSeconds, sharedSecret } = this.settings;
    const token = new SignJWT({
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
    if (sharedSecret) {
      return token
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .sign(new TextEncoder().encode(sharedSecret));
    }
    const { kid, key } = await this.keys.signer();
    return token.setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid }).sign(key);
  }
}
