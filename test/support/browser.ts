// A visitor of the service: requests over HTTP with a cookie jar, every JSON answer held against openapi.json.
import type { Response as Documented } from 'supertest';
import { expectDocumented } from './documented.js';

/** The origin of the portal whose pages send the requests. */
export const PORTAL = 'https://portal.acme.test';

/** An answer, read to its end. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; null where it is none. */
  body: any; // oxlint-disable-line typescript/no-explicit-any -- each test knows the shape of what it asked for
}

export interface Sent {
  headers?: Record<string, string>;
  /** Sent as an HTML form instead of JSON. */
  form?: Record<string, string>;
}

/** A visitor with a cookie jar, behind the proxy that names its address; its pages are the portal's. */
export class Browser {
  /** Cookies by name, with the path they are for. */
  readonly cookies = new Map<string, { value: string; path: string }>();

  constructor(
    private readonly url: string,
    private readonly address: string,
  ) {}

  /** The same cookies in a jar of their own: another tab, or another process of the service. */
  at(url = this.url): Browser {
    const browser = new Browser(url, this.address);
    for (const [name, cookie] of this.cookies) browser.cookies.set(name, cookie);
    return browser;
  }

  get accessToken(): string {
    return this.cookies.get('sm_client')?.value ?? '';
  }

  get refreshToken(): string {
    return this.cookies.get('sm_refresh')?.value ?? '';
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.get('/auth/session')).status === 200;
  }

  refresh(): Promise<Answer> {
    return this.post('/auth/refresh');
  }

  get(path: string, sent?: Sent): Promise<Answer> {
    return this.send('get', path, undefined, sent);
  }

  post(path: string, body?: object, sent?: Sent): Promise<Answer> {
    return this.send('post', path, body, sent);
  }

  patch(path: string, body: object, sent?: Sent): Promise<Answer> {
    return this.send('patch', path, body, sent);
  }

  delete(path: string, sent?: Sent): Promise<Answer> {
    return this.send('delete', path, undefined, sent);
  }

  async send(
    method: string,
    path: string,
    body?: object,
    { headers = {}, form }: Sent = {},
  ): Promise<Answer> {
    const all = new Headers({ origin: PORTAL, 'x-forwarded-for': this.address });
    if (this.cookies.size > 0) all.set('cookie', this.cookieHeader(path));
    if (body) all.set('content-type', 'application/json');
    // An empty value takes a header away.
    for (const [name, value] of Object.entries(headers)) {
      if (value === '') all.delete(name);
      else all.set(name, value);
    }
    const content = form ? new URLSearchParams(form) : body && JSON.stringify(body);
    const response = await fetch(this.url + path, {
      method: method.toUpperCase(),
      headers: all,
      body: content,
      redirect: 'manual',
    });
    this.keep(response.headers.getSetCookie());
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text ? JSON.parse(text) : null,
    };
    if (answer.body && !path.startsWith('/.well-known'))
      await expectDocumented(method, path, answer as never as Documented);
    return answer;
  }

  private cookieHeader(path: string): string {
    const sent = [...this.cookies].filter(([, cookie]) =>
      `${path}/`.startsWith(cookie.path.replace(/\/?$/, '/')),
    );
    return sent.map(([name, { value }]) => `${name}=${value}`).join('; ');
  }

  private keep(lines: readonly string[]): void {
    for (const line of lines) {
      const { name, value, attributes } = parseCookie(line);
      if (value === '' || attributes['max-age'] === '0') this.cookies.delete(name);
      else this.cookies.set(name, { value, path: attributes.path ?? '/' });
    }
  }
}

/** A Set-Cookie line; attributes by their name in lower case, those without a value as ''. */
export function parseCookie(line: string) {
  const [pair = '', ...rest] = line.split('; ');
  const [name, value] = split(pair);
  const attributes = Object.fromEntries(
    rest.map(split).map(([attribute, text]) => [attribute.toLowerCase(), text]),
  );
  return { name, value, attributes: attributes as Record<string, string | undefined> };
}

function split(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
