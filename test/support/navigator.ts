// A browser's navigation across hosts: follows redirects, keeps cookies by host and path.
import { parseCookie } from './browser.js';

interface Cookie {
  host: string;
  path: string;
  name: string;
  value: string;
}

/** Where a navigation ended; `url` was not opened when nobody serves its origin. */
export interface Visit {
  url: string;
  status: number;
  headers: Headers;
  body: string;
  /** Every URL on the way, the first and the last included. */
  trail: string[];
}

export class Navigator {
  private cookies: Cookie[] = [];

  /** `served`: public origin → the address where it is reached; an origin may stand for itself. */
  constructor(private readonly served: Record<string, string>) {}

  /** Opens `url` and follows redirects, but stops in front of what `before` names. */
  async open(url: string, { before }: { before?: RegExp } = {}): Promise<Visit> {
    const trail = [url];
    for (;;) {
      const visit = await this.request(url);
      const location = visit.headers.get('location');
      if (location === null) return { ...visit, url, trail };
      url = new URL(location, url).href;
      trail.push(url);
      if (before?.test(url) || !(new URL(url).origin in this.served)) return { ...visit, url, trail };
    }
  }

  /** The cookies sent to `url`, by name. */
  cookiesFor(url: string): Record<string, string> {
    const { hostname, pathname } = new URL(url);
    const sent = this.cookies.filter(({ host, path }) => host === hostname && covers(path, pathname));
    return Object.fromEntries(sent.map(({ name, value }) => [name, value]));
  }

  /** Plants a cookie; an empty value removes it. */
  setCookie(url: string, path: string, name: string, value: string): void {
    const { hostname: host } = new URL(url);
    this.cookies = this.cookies.filter(
      (known) => known.host !== host || known.path !== path || known.name !== name,
    );
    if (value !== '') this.cookies.push({ host, path, name, value });
  }

  private async request(url: string) {
    const { origin, pathname, search } = new URL(url);
    const cookie = Object.entries(this.cookiesFor(url))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
    const response = await fetch(`${this.served[origin]}${pathname}${search}`, {
      redirect: 'manual',
      headers: cookie ? { cookie } : {},
    });
    for (const header of response.headers.getSetCookie()) {
      const { name, value, attributes } = parseCookie(header);
      const expired = attributes['max-age'] === '0' || attributes.expires?.includes(' 1970 ');
      this.setCookie(url, attributes.path ?? '/', name, expired ? '' : value);
    }
    return { status: response.status, headers: response.headers, body: await response.text() };
  }
}

function covers(path: string, pathname: string): boolean {
  return path === '/' || pathname === path || pathname.startsWith(`${path.replace(/\/$/, '')}/`);
}
