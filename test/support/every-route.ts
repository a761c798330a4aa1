// Every route once, as those who use it do: for a service that runs where something is new.
import { expect } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { type Answer, Browser, PORTAL, type Sent } from './browser.js';
import { IdentityProvider } from './identity-provider.js';
import { MailServer } from './mail-server.js';
import { Navigator } from './navigator.js';

const PUBLIC_URL = 'https://auth.acme.test';

/** The routes of the reference, and those that only browsers visit. */
const ROUTES = Object.entries(
  (JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as { paths: object })
    .paths,
)
  .flatMap(([path, operations]) =>
    Object.keys(operations as object).map(
      (method) => `${method.toUpperCase()} ${path.replace('{id}', ':id')}`,
    ),
  )
  .concat(
    'GET /.well-known/jwks.json',
    'GET /auth/magic-link',
    'POST /auth/magic-link/confirm',
    'GET /auth/sso/google/callback',
  );

interface Request extends Sent {
  id?: string;
  query?: string;
  body?: object;
}

/** Mail and Google for a service, and visitors who use all of it. */
export class EveryRoute {
  private readonly visited = new Set<string>();
  private rounds = 0;

  private constructor(
    readonly mail: MailServer,
    private readonly google: IdentityProvider,
  ) {}

  static async prepare(): Promise<EveryRoute> {
    return new EveryRoute(
      await MailServer.start(),
      await IdentityProvider.start(`${PUBLIC_URL}/auth/sso/google/callback`),
    );
  }

  /** The environment of a service that can be visited. */
  get settings(): Record<string, string> {
    return {
      ...this.google.settings,
      PUBLIC_URL,
      PORTAL_ORIGINS: PORTAL,
      PORTAL_SECRET: 'a secret of the tests, and of the tests alone',
      SMTP_URL: this.mail.url,
      TRUST_PROXY: '127.0.0.1',
    };
  }

  async stop(): Promise<void> {
    await this.google.stop();
    await this.mail.stop();
  }

  /** Visits every route of the service at `url`, with a key of every scope, and expects the best of each. */
  async visit(url: string, key: string): Promise<void> {
    this.visited.clear();
    this.rounds += 1;
    await this.useKey(url, key);
    await this.useGoogle(url, key);
    await this.usePortal(url, key);
    expect([...this.visited].toSorted()).toEqual(ROUTES.toSorted());
  }

  private async useKey(url: string, key: string): Promise<void> {
    const as = this.caller(new Browser(url, '198.18.0.1'), { 'x-sm-key': key, origin: '' });
    await as('GET /health/live', 200);
    await as('GET /health/ready', 200);
    await as('GET /.well-known/jwks.json', 200);

    const company = idOf(await as('POST /api/companies', 201, { body: { name: `Acme ${this.rounds}` } }));
    await as('GET /api/companies/:id', 200, { id: company });
    await as('PATCH /api/companies/:id', 200, { id: company, body: { notes: 'pays' } });
    expect((await as('GET /api/companies', 200, { query: '?search=acme' })).body.data.total).toBe(
      this.rounds,
    );

    const contact = idOf(
      await as('POST /api/contacts', 201, { body: { company_id: company, first_name: 'Zoë' } }),
    );
    await as('PATCH /api/contacts/:id', 200, { id: contact, body: { last_name: `Round${this.rounds}` } });
    await as('GET /api/contacts/:id', 200, { id: contact });
    for (const query of [
      '',
      `?company_id=${company}`,
      `?search=zoe+round${this.rounds}`,
      '?tag=vip',
      '?page=2',
      '?cursor=',
    ])
      await as('GET /api/contacts', 200, { query });

    const made = await as('POST /api/keys', 201, { body: { name: 'smoke', scopes: ['contacts:read'] } });
    const id = made.body.data.id as string;
    await as('GET /api/keys', 200);
    await as('PATCH /api/keys/:id', 200, { id, body: { rate_limit: 100 } });
    await as('POST /api/keys/:id/rotate', 200, { id, body: { overlap_seconds: 60 } });
    await as('DELETE /api/keys/:id', 200, { id });
    await as('GET /api/audit', 200, { query: `?subject_id=${id}` });
  }

  private async useGoogle(url: string, key: string): Promise<void> {
    const { email } = await this.person(url, key);
    this.google.visitor = { sub: `google-${email}`, email, email_verified: true };
    const navigator = new Navigator({ [PUBLIC_URL]: url, [this.google.issuer]: this.google.issuer });
    const visit = await navigator.open(`${PUBLIC_URL}/auth/sso/google`);
    expect(visit.url).toBe(`${PORTAL}/`);
    expect(navigator.cookiesFor(PUBLIC_URL).sm_client).toBeDefined();
    this.visited.add('GET /auth/sso/google').add('GET /auth/sso/google/callback');
    // Another address, which drops the linked account.
    const as = this.caller(new Browser(url, '198.18.0.1'), { 'x-sm-key': key, origin: '' });
    const { id } = (await as('GET /api/contacts', 200, { query: `?email=${email}` })).body.data.items[0];
    await as('PATCH /api/contacts/:id', 200, { id, body: { email: `new-${email}` } });
  }

  private async usePortal(url: string, key: string): Promise<void> {
    const browser = await this.signIn(url, key);
    const as = this.caller(browser, {});
    await as('GET /auth/session', 200);
    await as('POST /auth/refresh', 200);
    const { items } = (await as('GET /auth/sessions', 200)).body.data;
    await as('DELETE /auth/sessions/:id', 200, { id: items[0].id });

    const other = await this.person(url, key);
    const form = this.caller(new Browser(url, '198.18.0.3'), { origin: PUBLIC_URL });
    await form('POST /auth/magic-link', 202, { body: { email: other.email } });
    const { token } = await this.mail.mailTo(other.email);
    await form('GET /auth/magic-link', 200, { query: `?token=${token}` });
    await form('POST /auth/magic-link/confirm', 303, { form: { token } });
    await form('POST /auth/logout', 200, { body: { scope: 'all' } });
  }

  /** A browser in which a new contact has just signed in. */
  async signIn(url: string, key: string): Promise<Browser> {
    const { email } = await this.person(url, key);
    const browser = new Browser(url, '198.18.0.2');
    const as = this.caller(browser, {});
    await as('POST /auth/magic-link', 202, { body: { email } });
    await as('POST /auth/magic-link/verify', 200, { body: { token: (await this.mail.mailTo(email)).token } });
    return browser;
  }

  /** A contact that may sign in. */
  private async person(url: string, key: string): Promise<{ email: string }> {
    const email = `person-${(people += 1)}@acme.test`;
    const as = this.caller(new Browser(url, '198.18.0.1'), { 'x-sm-key': key, origin: '' });
    await as('POST /api/contacts', 201, { body: { email, portal_access: 1 } });
    return { email };
  }

  private caller(browser: Browser, headers: Record<string, string>) {
    return async (
      route: string,
      status: number,
      { id = '', query = '', body, form }: Request = {},
    ): Promise<Answer> => {
      const [method = '', path = ''] = route.split(' ');
      const answer = await browser.send(method.toLowerCase(), path.replace(':id', id) + query, body, {
        headers,
        form,
      });
      expect({ route, status: answer.status, text: answer.text }).toMatchObject({ route, status });
      this.visited.add(route);
      return answer;
    };
  }
}

let people = 0;

function idOf({ body }: Answer): string {
  return body.data.id as string;
}
