// Signing in with Google: sends the visitor there, and opens a session for the contact Google confirms.
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/audit-log.js';
import { RateLimits } from '../auth/rate-limits.js';
import type { Queryable } from '../common/sql.js';
import type { Attempt } from './google-attempts.js';
import { type Account, GoogleIdentitiesRepository } from './google-identities.repository.js';
import { GoogleProvider } from './google-provider.js';
import { GoogleRefusal } from './google-refusal.js';
import { type SignIn, SessionsService } from './sessions.service.js';
import type { Visitor } from './visitor.js';

@Injectable()
export class GoogleService {
  constructor(
    private readonly provider: GoogleProvider,
    private readonly identities: GoogleIdentitiesRepository,
    private readonly sessions: SessionsService,
    private readonly audit: AuditLog,
    private readonly limits: RateLimits,
  ) {}

  /** Google's address for this attempt. @throws ApiError 503 when not configured, GoogleRefusal when Google fails. */
  authorizationUrl(attempt: Attempt): Promise<string> {
    return this.provider.authorizationUrl(attempt);
  }

  /**
   * Ends an attempt with a session, from the query that Google sent back.
   * @throws GoogleRefusal, audited, for everything else. @throws ApiError 503 when Google is not configured, 429 for too
   * many refusals of one network.
   */
  async signIn(query: URLSearchParams, attempt: Attempt | null, visitor: Visitor): Promise<SignIn> {
    try {
      if (!attempt) throw new GoogleRefusal('stale');
      // Each is a request to Google in our name, and an attempt's cookie can be sent again.
      this.limits.requireGuess(visitor.address);
      const account = await this.provider.identify(query, attempt);
      return await this.sessions.signIn<never>('google', visitor, async (db) => ({
        contactId: await this.contactFor(account, db),
        redirect: attempt.redirect,
      }));
    } catch (error) {
      if (error instanceof GoogleRefusal) {
        await this.limits.countRefusedSignIn(visitor.address);
        const details = { method: 'google', reason: error.reason };
        await this.audit.record('sign_in_refused', { kind: 'visitor' }, visitor, details, error.contactId);
      }
      throw error;
    }
  }

  private async contactFor(account: Account, db: Queryable): Promise<string> {
    const linked = await this.identities.findOrLink(db, account);
    if (!linked) throw new GoogleRefusal('no_contact');
    if (!linked.eligible) throw new GoogleRefusal('no_access', linked.contact_id);
    return linked.contact_id;
  }
}
