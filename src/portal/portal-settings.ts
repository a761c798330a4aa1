// The settings of sign-in, taken from the environment once.
import { ApiError } from '../common/errors.js';
import { type Env, allowedOrigins, issuerOf, portalHomeOf, publicUrlOf } from '../config/env.js';
import type { TokenView } from './session.dto.js';

export class PortalSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly sharedSecret?: string;
  readonly accessTokenSeconds: number;
  /** Our own base URL, which links in mails and pages start with; never taken from a request's Host. */
  readonly publicUrl: string;
  readonly origins: readonly string[];
  /** Where a sign-in leads that names no target. */
  readonly home: string;
  readonly cookieDomain?: string;
  readonly cookieSameSite: Env['PORTAL_COOKIE_SAMESITE'];
  readonly products: readonly string[];

  constructor(env: Env) {
    this.publicUrl = publicUrlOf(env);
    this.issuer = issuerOf(env);
    this.audience = env.JWT_AUDIENCE;
    this.sharedSecret = env.JWT_SECRET;
    this.accessTokenSeconds = env.ACCESS_TOKEN_SECONDS;
    this.origins = allowedOrigins(env);
    this.home = portalHomeOf(env);
    this.cookieDomain = env.PORTAL_COOKIE_DOMAIN;
    this.cookieSameSite = env.PORTAL_COOKIE_SAMESITE;
    this.products = env.PORTAL_PRODUCTS;
  }

  /** Cookies are Secure wherever we are reached by https. */
  get cookieSecure(): boolean {
    return this.publicUrl.startsWith('https:');
  }

  /** The product a sign-in names, or null for none. @throws ApiError 400 for one that is not configured. */
  configuredProduct(product: string | undefined): string | null {
    if (product === undefined || this.products.includes(product)) return product ?? null;
    const message = `product must be one of ${this.products.join(', ') || '(none is configured)'}.`;
    throw ApiError.invalid([{ field: 'product', code: 'out_of_range', message }]);
  }

  /** How an access token is handed to an SPA. */
  tokenView(accessToken: string): TokenView {
    return { access_token: accessToken, token_type: 'Bearer', expires_in: this.accessTokenSeconds };
  }
}
