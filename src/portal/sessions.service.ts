// Signed in or not: opens, refreshes, lists and ends sessions.
import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/audit-log.js';
import { OPERATOR, type PortalCaller } from '../auth/caller.js';
import { ApiError } from '../common/errors.js';
import { randomText } from '../common/ids.js';
import { Secrets, hashToken } from '../common/secrets.js';
import { signInEnded } from '../common/signals.js';
import type { ContactDetail } from '../contacts/contact.dto.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { AccessTokens } from './access-tokens.js';
import type { PortalSession, SignInMethod } from './portal-session.entity.js';
import type { LogoutScope, SessionView, WhoAmI } from './session.dto.js';
import { SessionsRepository } from './sessions.repository.js';
import type { Visitor } from './visitor.js';

/** What a fresh sign-in or a refresh hands out. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A sign-in that succeeded, and where it was to lead. */
export interface SignIn {
  readonly tokens: Tokens;
  readonly redirect: string;
}

@Injectable()
export class SessionsService {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly tokens: AccessTokens,
    private readonly contacts: ContactsService,
    private readonly secrets: Secrets,
    private readonly audit: AuditLog,
  ) {}

  /** Opens a session for a contact that has just proved who it is. @throws ApiError 401 without portal access. */
  async open(contactId: string, method: SignInMethod, visitor: Visitor): Promise<Tokens> {
    const contact = await this.eligible(contactId);
    const id = `ses_${randomText(16)}`;
    const refreshToken = randomBytes(32).toString('base64url');
    const { address: clientAddress, userAgent } = visitor;
    await this.sessions.insert({ id, contactId, method, clientAddress, userAgent }, hashToken(refreshToken));
    await this.audit.record('sign_in', { kind: 'contact', id: contactId }, visitor, { method, session: id });
    const accessToken = await this.tokens.issue(contact, id);
    signInEnded.tell({ method });
    return { accessToken, refreshToken };
  }

  /** @throws ApiError 401 for any token that is not the live one, or whose contact may no longer sign in. */
  async refresh(refreshToken: string, visitor: Visitor): Promise<Tokens> {
    // The successor follows from the token, so a retry gets the same one although only hashes are stored.
    const successor = this.secrets.derive('refresh-token', refreshToken).toString('base64url');
    const result = await this.sessions.refresh(hashToken(refreshToken), hashToken(successor));
    if (result.outcome === 'reused') {
      const { id, contact_id } = result.session;
      await this.audit.record('refresh_reuse', { kind: 'visitor' }, visitor, { session: id }, contact_id);
    }
    if (result.outcome !== 'refreshed') throw new ApiError('unauthenticated');
    const contact = await this.eligible(result.session.contact_id);
    return { accessToken: await this.tokens.issue(contact, result.session.id), refreshToken: successor };
  }

  async whoAmI(caller: PortalCaller): Promise<WhoAmI> {
    const contact = await this.eligible(caller.contactId);
    const { company_id, company_name } = contact;
    return {
      id: contact.id,
      email: contact.email,
      name: contact.full_name,
      avatar: contact.photo_url,
      company: company_id && company_name ? { id: company_id, name: company_name } : null,
      portal_role: caller.role,
      products: contact.products,
    };
  }

  /** The contact's living sessions, the most recently used first. */
  async list(caller: PortalCaller): Promise<SessionView[]> {
    return (await this.sessions.listAlive(caller.contactId)).map((session) =>
      view(session, caller.sessionId),
    );
  }

  /** @throws ApiError 404 for a session that is not the caller's own, or has ended. */
  async end(caller: PortalCaller, id: string, visitor: Visitor): Promise<void> {
    const ended = await this.endThese(caller.contactId, { only: id }, visitor);
    if (ended === 0) throw new ApiError('not_found', { message: 'There is no such session.' });
  }

  /** Ends the session of the refresh token, its contact's others, or all; an unknown token ends nothing. */
  async logout(refreshToken: string | undefined, scope: LogoutScope, visitor: Visitor): Promise<void> {
    const session = refreshToken ? await this.sessions.findByRefreshToken(hashToken(refreshToken)) : null;
    if (!session) return;
    const which = { this: { only: session.id }, others: { except: session.id }, all: {} }[scope];
    await this.endThese(session.contact_id, which, visitor);
  }

  private async endThese(
    contactId: string,
    which: { only?: string; except?: string },
    visitor: Visitor,
  ): Promise<number> {
    const ended = await this.sessions.end(contactId, which, 'signed_out');
    for (const session of ended)
      await this.audit.record('sign_out', { kind: 'contact', id: contactId }, visitor, { session });
    return ended.length;
  }

  private async eligible(contactId: string): Promise<ContactDetail> {
    const contact = await this.contacts.find(OPERATOR, contactId);
    if (contact?.portal_access !== 1) throw new ApiError('unauthenticated');
    return contact;
  }
}

function view(session: PortalSession, current: string): SessionView {
  return {
    id: session.id,
    method: session.method,
    client_address: session.client_address,
    user_agent: session.user_agent,
    created_at: session.created_at.toISOString(),
    last_used_at: session.last_used_at.toISOString(),
    expires_at: session.expires_at.toISOString(),
    current: session.id === current,
  };
}
