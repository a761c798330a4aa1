// A sign-in on its way to Google and back, kept in a sealed cookie of the browser that began it.
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { Secrets } from '../common/secrets.js';
import { PortalSettings } from './portal-settings.js';

/** Each attempt has a cookie of its own, named after its state, so that several tabs can sign in at once. */
const COOKIE_PREFIX = 'sm_sso_';
const COOKIE_PATH = '/auth/sso';
const PURPOSE = 'google-sign-in';
const LIFETIME_SECONDS = 600;
/** More at once would outgrow the headers that a server takes. */
const MOST_AT_ONCE = 4;
/** What openid-client makes: 32 random bytes. */
const STATE = /^[\w-]{43}$/;

export interface Attempt {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
  /** Where the sign-in leads, checked already. */
  readonly redirect: string;
  readonly product: string | null;
}

interface Sealed extends Attempt {
  /** Until when it is good, in ms since 1970. */
  readonly until: number;
}

@Injectable()
export class GoogleAttempts {
  constructor(
    private readonly secrets: Secrets,
    private readonly settings: PortalSettings,
  ) {}

  begin(redirect: string, product: string | null): Attempt {
    return {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      redirect,
      product,
    };
  }

  /** Sets the attempt's cookie, and clears the oldest of too many. */
  save(attempt: Attempt, request: FastifyRequest, reply: FastifyReply): void {
    const sealed: Sealed = { ...attempt, until: Date.now() + LIFETIME_SECONDS * 1000 };
    const value = this.secrets.seal(PURPOSE, JSON.stringify(sealed)).toString('base64url');
    void reply.setCookie(nameFor(attempt.state), value, { ...this.options(), maxAge: LIFETIME_SECONDS });
    // Browsers send the oldest first (RFC 6265, section 5.4).
    const others = Object.keys(request.cookies).filter((name) => name.startsWith(COOKIE_PREFIX));
    for (const name of others.slice(0, Math.max(0, others.length + 1 - MOST_AT_ONCE))) {
      void reply.clearCookie(name, this.options());
    }
  }

  /** The attempt that this browser began with `state`, or null; its cookie is cleared, whatever comes of it. */
  take(state: string | null, request: FastifyRequest, reply: FastifyReply): Attempt | null {
    if (state === null || !STATE.test(state)) return null;
    const name = nameFor(state);
    const value = request.cookies[name];
    if (value === undefined) return null;
    void reply.clearCookie(name, this.options());
    const attempt = this.open(value);
    return attempt?.state === state && attempt.until > Date.now() ? attempt : null;
  }

  private open(value: string): Sealed | null {
    try {
      return JSON.parse(this.secrets.open(PURPOSE, Buffer.from(value, 'base64url'))) as Sealed;
    } catch {
      return null;
    }
  }

  private options() {
    // Lax, not strict: the way back from Google is a navigation from another site.
    return {
      path: COOKIE_PATH,
      httpOnly: true,
      secure: this.settings.cookieSecure,
      sameSite: 'lax',
    } as const;
  }
}

function nameFor(state: string): string {
  return COOKIE_PREFIX + state.slice(0, 16);
}
