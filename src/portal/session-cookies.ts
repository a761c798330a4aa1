// The two cookies of a signed-in browser: the access token for every sibling portal, the refresh token for us alone.
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SESSION_COOKIE } from '../auth/session-cookie.js';
import { PortalSettings } from './portal-settings.js';
import type { Tokens } from './sessions.service.js';

const REFRESH_COOKIE = 'sm_refresh';
const REFRESH_PATH = '/auth';
/** The longest a session can live, in seconds; the server decides, the cookie need not outlive it. */
const REFRESH_SECONDS = 30 * 86_400;

@Injectable()
export class SessionCookies {
  constructor(private readonly settings: PortalSettings) {}

  set(reply: FastifyReply, tokens: Tokens): void {
    const { accessTokenSeconds: maxAge } = this.settings;
    void reply.setCookie(SESSION_COOKIE, tokens.accessToken, { ...this.shared(), path: '/', maxAge });
    void reply.setCookie(REFRESH_COOKIE, tokens.refreshToken, { ...this.own(), maxAge: REFRESH_SECONDS });
  }

  clear(reply: FastifyReply): void {
    void reply.clearCookie(SESSION_COOKIE, { ...this.shared(), path: '/' });
    void reply.clearCookie(REFRESH_COOKIE, this.own());
  }

  refreshToken(request: FastifyRequest): string | undefined {
    return request.cookies[REFRESH_COOKIE];
  }

  private shared() {
    const { cookieSecure: secure, cookieSameSite: sameSite, cookieDomain: domain } = this.settings;
    return { httpOnly: true, secure, sameSite, domain } as const;
  }

  /** The refresh token goes to our own host only, whatever domain the session is shared with. */
  private own() {
    return { ...this.shared(), domain: undefined, path: REFRESH_PATH } as const;
  }
}
