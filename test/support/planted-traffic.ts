// A service in a process of its own, and traffic that brings planted values to every route, in every place, well or ill.
import { readFileSync } from 'node:fs';
import { SCOPES } from '../../src/auth/caller.js';
import { breakDatabase } from './broken-values.js';
import { type TestDatabase, createTestDatabase } from './database.js';
import { IdentityProvider } from './identity-provider.js';
import { MailServer } from './mail-server.js';
import { Navigator } from './navigator.js';
import { PLANTED, plantedContact, plantedHeaders, plantedQueries, refusedBodies } from './planted.js';
import { RunningService } from './running-service.js';
import { TEST_SECRET } from './service.js';
import { runEntry } from './process.js';
import { sendRaw } from './raw-request.js';
import { Session } from './session.js';

const PUBLIC_URL = 'https://auth.acme.test';
const PORTAL = 'https://portal.acme.test';
const GOOGLE = '/auth/sso/google';

const { paths } = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, object>;
};
/** Every route there is, as openapi.json has it: those of the reference and those that only browsers visit. */
export const ROUTES: readonly { method: string; path: string }[] = [
  ...Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path })),
  ),
  { method: 'GET', path: '/.well-known/jwks.json' },
  { method: 'GET', path: '/auth/magic-link' },
  { method: 'POST', path: '/auth/magic-link/confirm' },
  { method: 'GET', path: `${GOOGLE}/callback` },
];

interface Sent {
  headers?: Record<string, string>;
  /** Sent as JSON; text is sent as it stands. */
  body?: unknown;
}

export class PlantedTraffic {
  /** Everything secret that was handed out on the way. */
  readonly secrets: string[] = [];
  private sent = 0;

  private constructor(
    private readonly service: RunningService,
    private readonly database: TestDatabase,
    private readonly session: Session,
    private readonly mail: MailServer,
    private readonly provider: IdentityProvider,
  ) {}

  /** Starts the service, logging all there is to log; `settings` are environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<PlantedTraffic> {
    const mail = await MailServer.start();
    const provider = await IdentityProvider.start(`${PUBLIC_URL}${GOOGLE}/callback`);
    const database = await createTestDatabase();
    const service = await RunningService.start({
      ...provider.settings,
      DATABASE_URL: database.url,
      DATABASE_TIMEOUT_MS: '5000',
      LOG_LEVEL: 'trace',
      MAIL_FROM: 'Acme <no-reply@acme.test>',
      PORTAL_ORIGINS: PORTAL,
      PUBLIC_URL,
      PORTAL_SECRET: TEST_SECRET,
      SMTP_URL: mail.url,
      TRUST_PROXY: '127.0.0.1',
      ...settings,
    });
    const session = await Session.open(database.url);
    return new PlantedTraffic(service, database, session, mail, provider);
  }

  /** Ends the service and answers all it has written. */
  async stop(): Promise<string> {
    await this.service.stop();
    await this.provider.stop();
    await this.mail.stop();
    await this.session.client.end();
    await this.database.drop();
    return this.service.output;
  }

  /** Uses every route as it is meant to be used, and then every route as it is not. */
  async drive(): Promise<void> {
    const key = await this.useApi();
    const token = await this.signInByMail();
    await this.signInWithGoogle();
    await this.beRefused([
      { 'x-sm-key': key },
      { authorization: `Bearer ${token}` },
      { cookie: `sm_client=${token}; other=${PLANTED.secret}`, origin: PORTAL },
      { 'x-sm-key': `smk_${PLANTED.secret}` },
      { authorization: `Bearer ${key}`, 'x-sm-key': key },
      {},
    ]);
    const post = (path: string, body: object): Promise<unknown> =>
      this.send('POST', path, { headers: { 'x-sm-key': key }, body });
    await breakDatabase(this.session, post);
  }

  private async useApi(): Promise<string> {
    const create = ['keys', 'create', '--name', 'Zdenka', '--scopes', SCOPES.join(',')];
    const { stdout } = await runEntry('cli', create, { DATABASE_URL: this.database.url });
    const key = this.keep(stdout.trim());
    const headers = { 'x-sm-key': key };
    const make = async (path: string, given: object) => (await this.use('POST', path, { headers, body: given })).data; // prettier-ignore
    const { id: company_id } = await make('/api/companies', { name: 'Plantova Ltd', notes: 'planted' });
    const given = { ...plantedContact, company_id, portal_access: 1, portal_role: 'client_admin' };
    const { id } = await make('/api/contacts', given);
    await this.use('PATCH', `/api/contacts/${id}`, { headers, body: { notes: 'planted anew' } });
    await this.use('PATCH', `/api/companies/${company_id}`, { headers, body: { domain: 'planted.example' } });
    const found = ['?search=zdenka', `?email=${PLANTED.email}`].map((query) => `/api/contacts${query}`);
    const things = [`/api/contacts/${id}`, `/api/companies/${company_id}`, '/api/keys', '/api/audit'];
    for (const path of [...found, ...things, '/api/companies?search=plantova'])
      await this.use('GET', path, { headers });
    const minted = await make('/api/keys', { name: PLANTED.email, scopes: ['contacts:read'] });
    await this.use('PATCH', `/api/keys/${minted.id}`, { headers, body: { rate_limit: 100 } });
    const rotated = await make(`/api/keys/${minted.id}/rotate`, {});
    await this.use('DELETE', `/api/keys/${minted.id}`, { headers });
    this.secrets.push(minted.key, rotated.key);
    for (const path of ['/health/live', '/health/ready', '/.well-known/jwks.json', '/docs', '/openapi.json'])
      await this.use('GET', path);
    return key;
  }

  private async signInByMail(): Promise<string> {
    const first = await this.askForLink();
    await this.use('GET', `/auth/magic-link?token=${first.token}`);
    const form = { origin: PUBLIC_URL, 'content-type': 'application/x-www-form-urlencoded' };
    await this.use('POST', '/auth/magic-link/confirm', { headers: form, body: `token=${first.token}` });
    const { request_id, code } = await this.askForLink();
    const { data, cookies } = await this.use('POST', '/auth/magic-link/verify', {
      body: { request_id, code },
    });
    const headers = { origin: PORTAL, cookie: this.keep(cookies) };
    for (const path of ['/auth/session', '/auth/sessions', '/api/contacts?search=zdenka'])
      await this.use('GET', path, { headers });
    const { items } = (await this.use('GET', '/auth/sessions', { headers })).data;
    const other = items.find(({ current }: { current: boolean }) => !current);
    await this.use('DELETE', `/auth/sessions/${other.id}`, { headers });
    this.keep((await this.use('POST', '/auth/refresh', { headers })).cookies);
    await this.use('POST', '/auth/logout', { headers, body: { scope: 'this' } });
    return this.keep(data.access_token);
  }

  private async askForLink() {
    // Whatever was asked before is long ago, for the limits.
    await this.session.client.query(`UPDATE magic_link SET created_at = created_at - interval '2 days'`);
    const before = this.mail.mailsTo(PLANTED.email).length;
    const { data } = await this.use('POST', '/auth/magic-link', { body: { email: PLANTED.email } });
    const { token, code } = await this.mail.mailTo(PLANTED.email, before + 1);
    return { request_id: data.request_id as string, token: this.keep(token), code };
  }

  private async signInWithGoogle(): Promise<void> {
    const { provider } = this;
    const served = { [PUBLIC_URL]: this.service.url, [provider.issuer]: provider.issuer };
    const visit = (): Promise<unknown> => new Navigator(served).open(PUBLIC_URL + GOOGLE);
    const { email, secret } = PLANTED;
    const person = { sub: 'planted-subject', email, email_verified: true, name: 'Zdenka Plantova' };
    for (const visitor of [person, { ...person, sub: 'planted-2', email: `other-${email}` }, { ...person, email_verified: false }, null]) {
      provider.visitor = visitor;
      await visit();
    } // prettier-ignore
    provider.visitor = person;
    for (const forge of [(claims: object) => provider.sign({ ...claims, nonce: secret, email }), () => `planted.${secret}.x`]) {
      provider.forge = forge;
      await visit();
    } // prettier-ignore
    provider.broken = { path: '/token', status: 400, body: { error: 'planted', error_description: email } };
    await visit();
    const navigator = new Navigator(served);
    const { url } = await navigator.open(PUBLIC_URL + GOOGLE, { before: /\/callback\?/ });
    await provider.stop();
    await navigator.open(url);
  }

  private async beRefused(credentials: readonly Record<string, string>[]): Promise<void> {
    for (const [index, { method, path }] of ROUTES.entries()) {
      for (const [turn, headers] of credentials.entries()) {
        const ids = ['ct_planted0', encodeURIComponent(PLANTED.email), '%ff', 'planted'.repeat(40)];
        const query = plantedQueries[(index + turn) % plantedQueries.length];
        const bodies = refusedBodies(method);
        const url = path.replace('{id}', ids[turn % ids.length] ?? '') + query;
        await this.send(method, url, { headers, body: bodies[turn % bodies.length] });
      }
    }
    for (const path of [`/nope/${PLANTED.email}?search=planted`, '/api/contacts?search=planted%ff', '/planted%zz'])
      await this.send('GET', path); // prettier-ignore
    await sendRaw(this.service.url, `GET /?search=planted HTTP/9\r\nX-Planted: ${PLANTED.email}\r\n\r\n`);
  }

  private keep(secret: string): string {
    this.secrets.push(secret);
    return secret;
  }

  /** Sends what has to succeed. */
  private async use(method: string, path: string, sent?: Sent) {
    const { status, data, cookies, text } = await this.send(method, path, sent);
    if (status >= 400) throw new Error(`${method} ${path} answered ${status}: ${text}`);
    return { data, cookies };
  }

  private async send(method: string, path: string, { headers = {}, body }: Sent = {}) {
    this.sent += 1;
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(this.service.url + path, {
      method,
      redirect: 'manual',
      headers: { ...plantedHeaders(this.sent), ...json, ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0]);
    const data = text.startsWith('{"ok":true') ? JSON.parse(text).data : {};
    return { status: response.status, data, cookies: cookies.join('; '), text };
  }
}
