// Google, or the OpenID provider configured in its place: authorization code with PKCE, by openid-client.
import { Logger } from '@nestjs/common';
import * as oidc from 'openid-client';
import { canonicalEmail } from '../common/email.js';
import { ApiError } from '../common/errors.js';
import { type Env, publicUrlOf } from '../config/env.js';
import type { Attempt } from './google-attempts.js';
import type { Account } from './google-identities.repository.js';
import { GoogleRefusal, type RefusalReason } from './google-refusal.js';

export interface GoogleSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where Google sends the visitor back to, as registered there. */
  readonly callbackUrl: string;
  /** Whether the provider may be asked over plain http: never in production. */
  readonly allowHttp: boolean;
  /** How long each answer may take. */
  readonly timeoutSeconds: number;
}

/** Null unless client id and secret are both set. */
export function googleSettings(env: Env): GoogleSettings | null {
  const { GOOGLE_ISSUER: issuer, GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret } = env;
  if (!clientId || !clientSecret) return null;
  const callbackUrl = `${publicUrlOf(env)}/auth/sso/google/callback`;
  return {
    issuer,
    clientId,
    clientSecret,
    callbackUrl,
    allowHttp: env.NODE_ENV !== 'production',
    timeoutSeconds: 10,
  };
}

export class GoogleProvider {
  private readonly logger = new Logger('Google');
  private discovered?: Promise<oidc.Configuration>;

  constructor(private readonly settings: GoogleSettings | null) {}

  /**
   * Where to send the visitor for this attempt.
   * @throws ApiError 503 when Google is not configured. @throws GoogleRefusal when it does not answer soundly.
   */
  async authorizationUrl({ state, nonce, verifier }: Attempt): Promise<string> {
    const settings = this.configured();
    const configuration = await this.discover(settings).catch((error) => this.refuse(error));
    return oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: settings.callbackUrl,
      scope: 'openid email',
      // Without the choice, somebody refused once would be refused for ever with the same account.
      prompt: 'select_account',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).href;
  }

  /**
   * Redeems the code of the callback's query and checks the ID token: signature, iss, aud, exp, nonce.
   * @throws ApiError 503 when Google is not configured. @throws GoogleRefusal for everything that does not hold.
   */
  async identify(query: URLSearchParams, attempt: Attempt): Promise<Account> {
    const settings = this.configured();
    const claims = await this.redeem(settings, query, attempt).catch((error) => this.refuse(error));
    if (claims.email_verified !== true) throw new GoogleRefusal('unverified_email');
    return { issuer: claims.iss, subject: claims.sub, email: vouchedEmail(claims) };
  }

  private async redeem(
    settings: GoogleSettings,
    query: URLSearchParams,
    attempt: Attempt,
  ): Promise<oidc.IDToken> {
    const configuration = await this.discover(settings);
    // Our own address, not the request's Host; openid-client takes redirect_uri from it.
    const url = new URL(`${settings.callbackUrl}?${query.toString()}`);
    const tokens = await oidc.authorizationCodeGrant(configuration, url, {
      expectedState: attempt.state,
      expectedNonce: attempt.nonce,
      pkceCodeVerifier: attempt.verifier,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (!claims) throw new Error('There is no ID token.');
    return claims;
  }

  private configured(): GoogleSettings {
    if (!this.settings)
      throw new ApiError('unavailable', { message: 'Sign-in with Google is not configured.' });
    return this.settings;
  }

  /** The provider's endpoints, asked for once; a failure is forgotten, so that the next visitor asks again. */
  private discover(settings: GoogleSettings): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret, allowHttp, timeoutSeconds: timeout } = settings;
    this.discovered ??= oidc
      .discovery(
        new URL(issuer),
        clientId,
        { client_secret: clientSecret, id_token_signed_response_alg: 'RS256' },
        undefined,
        // By default openid-client trusts TLS instead of the ID token's signature.
        {
          timeout,
          execute: [oidc.enableNonRepudiationChecks, ...(allowHttp ? [oidc.allowInsecureRequests] : [])],
        },
      )
      .catch((error: unknown) => {
        this.discovered = undefined;
        throw error;
      });
    return this.discovered;
  }

  private refuse(error: unknown): never {
    const reason = reasonOf(error);
    // Not the error itself: its cause may hold the claims.
    const { message, code } = error as { message?: string; code?: string };
    if (reason === 'bad_answer' || reason === 'unreachable') this.logger.warn({ reason, code }, message);
    throw new GoogleRefusal(reason);
  }
}

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof oidc.AuthorizationResponseError) {
    return error.error === 'access_denied' ? 'cancelled' : 'bad_answer';
  }
  // The code was redeemed before, or is too old.
  if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return 'stale';
  return isUnreachable(error) ? 'unreachable' : 'bad_answer';
}

/** What fetch throws without an answer, wrapped or not. */
function isUnreachable(error: unknown): boolean {
  const { name, message, cause } = error as { name?: string; message?: string; cause?: unknown };
  if (name === 'TimeoutError' || (name === 'TypeError' && message === 'fetch failed')) return true;
  return typeof cause === 'object' && cause !== null && isUnreachable(cause);
}

type Claims = Partial<Record<'iss' | 'email' | 'hd', unknown>>;

/** Where Google's word on an address is only that whoever made the account could read its mail then. */
const GOOGLE = 'https://accounts.google.com';

/**
 * The canonical address that a first sign-in may be linked by; null for none, and for one of a domain that Google does
 * not host: whoever had such an address once keeps the account with it, and would be taken for who has it now.
 */
export function vouchedEmail({ iss, email, hd }: Claims): string | null {
  if (typeof email !== 'string') return null;
  const canonical = canonicalEmail(email);
  const domain = canonical?.split('@').at(-1) ?? '';
  // A domain of Workspace names its addresses, and those of the domains beside it.
  const isHosted =
    (typeof hd === 'string' && hd !== '') || domain === 'gmail.com' || domain === 'googlemail.com';
  return iss !== GOOGLE || isHosted ? canonical : null;
}
