// Signing in by mail: asks for a link, and opens a session for whoever brings it back.
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/audit-log.js';
import { RateLimits } from '../auth/rate-limits.js';
import { clientNetwork } from '../common/client-network.js';
import { ApiError } from '../common/errors.js';
import { randomText } from '../common/ids.js';
import { Secrets, hashToken } from '../common/secrets.js';
import { limitHit, signInEnded } from '../common/signals.js';
import type { Queryable } from '../common/sql.js';
import { Jobs } from '../mail/jobs.js';
import { Mailer } from '../mail/mailer.js';
import type { RequestMagicLinkDto, VerifyMagicLinkDto } from './magic-link.dto.js';
import { LINK_MAIL, codeOf, tokenOf } from './magic-link-mail.js';
import { MagicLinksRepository, type RecentRequests } from './magic-links.repository.js';
import { PortalSettings } from './portal-settings.js';
import { allowedRedirect } from './redirects.js';
import { type Proved, SessionsService, type SignIn } from './sessions.service.js';
import type { Visitor } from './visitor.js';

/** Requests allowed, the same whether anybody has the address or not. */
const COOLDOWN_SECONDS = 60;
const CAPS = [
  ['address_hour', 5],
  ['address_day', 15],
  ['client_hour', 30],
  ['client_day', 150],
] as const;

@Injectable()
export class MagicLinksService {
  constructor(
    private readonly links: MagicLinksRepository,
    private readonly sessions: SessionsService,
    private readonly jobs: Jobs,
    private readonly mailer: Mailer,
    private readonly secrets: Secrets,
    private readonly settings: PortalSettings,
    private readonly audit: AuditLog,
    private readonly limits: RateLimits,
  ) {}

  /**
   * Does the same work for every address: whether a mail leaves is decided by the job, after the answer.
   * @throws ApiError 400 for a redirect or product that is not configured, 429 beyond the caps or for too many requests
   * of one network.
   */
  async request(dto: RequestMagicLinkDto, visitor: Visitor): Promise<string> {
    if (!this.mailer.isConfigured)
      throw new ApiError('unavailable', { message: 'Sign-in by mail is not configured.' });
    const redirect = allowedRedirect(dto.redirect, this.settings);
    const product = this.settings.configuredProduct(dto.product);
    await this.limits.countMailRequest(visitor.address);
    const id = `ml_${randomText(16)}`;
    const addressHash = this.secrets.derive('mail-address', dto.email);
    const clientAddress = clientNetwork(visitor.address);
    await this.links.exclusively(addressHash, clientAddress, async (db) => {
      refuseBeyondCaps(await this.links.recent(db, addressHash, clientAddress));
      const tokenHash = hashToken(tokenOf(this.secrets, id));
      const codeHash = this.codeHash(id, codeOf(this.secrets, id));
      const link = {
        id,
        email: dto.email,
        addressHash,
        clientAddress,
        tokenHash,
        codeHash,
        redirect,
        product,
      };
      await this.links.replace(db, link);
      await this.jobs.send(LINK_MAIL, { id }, db);
    });
    return id;
  }

  /** What the page of a link says; undefined when the link is used, void or expired. Changes nothing. */
  peek(token: string): Promise<{ product: string | null } | undefined> {
    return this.links.peek(hashToken(token));
  }

  /**
   * @throws ApiError 400 unless exactly one proof is given, 401 for one that does not hold, 429 for too many of those
   * from one network.
   */
  async verify(proof: VerifyMagicLinkDto, visitor: Visitor): Promise<SignIn> {
    // A token cannot be guessed: whoever has one signs in, whatever others of the network do.
    if (proof.code) this.limits.requireGuess(visitor.address);
    const signIn = await this.sessions.signIn('magic_link', visitor, this.spend(proof));
    if (signIn) return signIn;
    signInEnded.tell({ method: 'magic_link', refusal: 'bad_proof' });
    await this.limits.countRefusedSignIn(visitor.address);
    await this.audit.record('sign_in_refused', { kind: 'visitor' }, visitor, { method: 'magic_link' });
    throw new ApiError('sign_in_failed');
  }

  /** What uses up the link of this proof. */
  private spend({ token, request_id, code }: VerifyMagicLinkDto): (db: Queryable) => Promise<Proved | null> {
    if (token && !request_id && !code) return (db) => this.links.useByToken(db, hashToken(token));
    if (!token && request_id && code)
      return (db) => this.links.useByCode(db, request_id, this.codeHash(request_id, code));
    throw new ApiError('invalid_request', { message: 'Send either token, or request_id with code.' });
  }

  /** Keyed, since six digits could be guessed from a plain hash. */
  private codeHash(id: string, code: string): Buffer {
    return this.secrets.derive('magic-link-code-hash', `${id} ${code}`);
  }
}

/** @throws ApiError 429 with the time until all of it allows the next request. */
function refuseBeyondCaps(recent: RecentRequests): void {
  const { since_last } = recent;
  const waits = CAPS.filter(([name, most]) => recent[name] >= most).map(
    ([name]) => recent[`${name}_frees_in`] ?? 0,
  );
  if (since_last !== null && since_last < COOLDOWN_SECONDS) waits.push(COOLDOWN_SECONDS - since_last);
  if (waits.length > 0) throw tooMany(Math.max(...waits));
}

function tooMany(seconds: number): ApiError {
  limitHit.tell({ limit: 'sign_in_mail' });
  return new ApiError('too_many_requests', { retryAfter: Math.max(1, Math.ceil(seconds)) });
}
