// Signed in or not: opens, refreshes, lists and ends sessions.
import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/audit-log.js';
import { OPERATOR, type PortalCaller } from '../auth/caller.js';
import { RateLimits } from '../auth/rate-limits.js';
import { ApiError } from '../common/errors.js';
import { randomText } from '../common/ids.js';
import { Secrets, hashToken } from '../common/secrets.js';
import { signInEnded } from '../common/signals.js';
import type { Queryable } from '../common/sql.js';
import type { ContactDetail } from '../contacts/contact.dto.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { AccessTokens, type IssueToken } from './access-tokens.js';
import type { PortalSession, SignInMethod } from './portal-session.entity.js';
import type { LogoutScope, SessionView, WhoAmI } from './session.dto.js';
import { SessionsRepository } from './sessions.repository.js';
import type { Visitor } from './visitor.js';

/** What a fresh sign-in or a refresh hands out. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Who has proved to be whom, and where that is to lead. */
export interface Proved {
  readonly contactId: string;
  readonly redirect: string;
}

/** A sign-in that succeeded. */
export interface SignIn extends Proved {
  readonly tokens: Tokens;
}

@Injectable()
export class SessionsService {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly tokens: AccessTokens,
    private readonly contacts: ContactsService,
    private readonly secrets: Secrets,
    private readonly audit: AuditLog,
    private readonly limits: RateLimits,
  ) {}

  /**
   * Opens a session for the contact that `prove` answers, in one transaction with it: a proof is spent if, and only if,
   * its session is there. `prove` locks the contact, so that a change of its address or access waits, and ends the
   * session, or has come first. It may run several times. Null, and committed all the same, where it answers null.
   * @throws ApiError 401 without portal access.
   */
  async signIn<Nobody extends null>(
    method: SignInMethod,
    visitor: Visitor,
    prove: (db: Queryable) => Promise<Proved | Nobody>,
  ): Promise<SignIn | Nobody> {
    const issue = await this.tokens.issuer();
    const signIn = await this.sessions.transaction(async (db): Promise<SignIn | Nobody> => {
      const proved = await prove(db);
      if (proved === null) return proved;
      return { ...proved, tokens: await this.open(db, issue, proved.contactId, method, visitor) };
    });
    if (signIn) signInEnded.tell({ method });
    return signIn;
  }

  private async open(
    db: Queryable,
    issue: IssueToken,
    contactId: string,
    method: SignInMethod,
    visitor: Visitor,
  ): Promise<Tokens> {
    const contact = await this.eligible(contactId, db);
    const id = `ses_${randomText(16)}`;
    const refreshToken = randomBytes(32).toString('base64url');
    const { address: clientAddress, userAgent } = visitor;
    const session = { id, contactId, method, clientAddress, userAgent };
    await this.sessions.insert(db, session, hashToken(refreshToken));
    const details = { method, session: id };
    await this.audit.within(db).record('sign_in', { kind: 'contact', id: contactId }, visitor, details);
    return { accessToken: await issue(contact, id), refreshToken };
  }

  /**
   * @throws ApiError 401 for any token that is not the live one, or whose contact may no longer sign in, 429 for a contact
   * that asks too often.
   */
  async refresh(refreshToken: string, visitor: Visitor): Promise<Tokens> {
    const known = await this.sessions.findByRefreshToken(hashToken(refreshToken));
    if (!known) throw new ApiError('unauthenticated');
    // A theft is found out, however often the thief asks meanwhile.
    if (!known.is_spent) await this.limits.countUser(known.contact_id);
    // The successor follows from the token, so a retry gets the same one although only hashes are stored.
    const successor = this.secrets.derive('refresh-token', refreshToken).toString('base64url');
    const issue = await this.tokens.issuer();
    const accessToken = await this.sessions.transaction(async (db) => {
      const result = await this.sessions.refresh(db, hashToken(refreshToken), hashToken(successor));
      if (result.outcome === 'refused') return null;
      if (result.outcome === 'refreshed')
        return issue(await this.eligible(result.session.contact_id, db), result.session.id);
      await this.endStolen(db, known, visitor);
      return null;
    });
    if (accessToken === null) throw new ApiError('unauthenticated');
    return { accessToken, refreshToken: successor };
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

  /**
   * Ends the session of the refresh token, its contact's others, or all; an unknown token ends nothing. A spent one ends
   * its session as stolen, whatever was asked for.
   * @param contactId who the client says it is, if it does.
   * @throws ApiError 401 when that is not whose token it is: nothing of its own has ended.
   */
  async logout(
    refreshToken: string | undefined,
    contactId: string | undefined,
    scope: LogoutScope,
    visitor: Visitor,
  ): Promise<void> {
    const session = refreshToken ? await this.sessions.findByRefreshToken(hashToken(refreshToken)) : null;
    if (contactId !== undefined && session?.contact_id !== contactId) throw new ApiError('unauthenticated');
    if (!session) return;
    if (session.is_spent) return this.sessions.transaction((db) => this.endStolen(db, session, visitor));
    const which = { this: { only: session.id }, others: { except: session.id }, all: {} }[scope];
    await this.endThese(session.contact_id, which, visitor);
  }

  /** A spent token is the thief's, or its successor is: the session ends for both. */
  private async endStolen(db: Queryable, { id, contact_id }: PortalSession, visitor: Visitor): Promise<void> {
    const ended = await this.sessions.end(db, contact_id, { only: id }, 'refresh_reuse');
    if (ended.length === 0) return;
    const details = { session: id };
    await this.audit.within(db).record('refresh_reuse', { kind: 'visitor' }, visitor, details, contact_id);
  }

  private async endThese(
    contactId: string,
    which: { only?: string; except?: string },
    visitor: Visitor,
  ): Promise<number> {
    return this.sessions.transaction(async (db) => {
      const ended = await this.sessions.end(db, contactId, which, 'signed_out');
      for (const session of ended)
        await this.audit
          .within(db)
          .record('sign_out', { kind: 'contact', id: contactId }, visitor, { session });
      return ended.length;
    });
  }

  private async eligible(contactId: string, db?: Queryable): Promise<ContactDetail> {
    const contact = await this.contacts.find(OPERATOR, contactId, db);
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
