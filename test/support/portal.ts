// Sign-in as contacts meet it: a service that sends real mail, in one process or two, and contacts that may sign in.
import { expect } from '@jest/globals';
import type { JWK } from 'jose';
import { tokenOf } from '../../src/portal/magic-link-mail.js';
import { Secrets } from '../../src/common/secrets.js';
import { Browser, PORTAL } from './browser.js';
import { MailServer, type ReceivedMail } from './mail-server.js';
import { PATIENT, TEST_SECRET, TestService } from './service.js';
import { RunningService } from './running-service.js';

/** Where the service says it is; requests go to its real address. */
export const PUBLIC_URL = 'https://auth.acme.test';

export interface Contact {
  id: string;
  email: string;
}

export class PortalService {
  private constructor(
    readonly service: TestService,
    readonly mail: MailServer,
    readonly settings: Record<string, string>,
  ) {}

  /** Starts the service with its mail server; each client of it has an address of its own. */
  static async start(settings: Record<string, string> = {}): Promise<PortalService> {
    const mail = await MailServer.start();
    const all = {
      PUBLIC_URL,
      PORTAL_SECRET: TEST_SECRET,
      PORTAL_ORIGINS: `${PORTAL},http://localhost:5173`,
      PORTAL_PRODUCTS: 'crm,analytics',
      SMTP_URL: mail.url,
      MAIL_FROM: 'Acme <no-reply@acme.test>',
      TRUST_PROXY: '127.0.0.1',
      ...PATIENT,
      ...settings,
    };
    return new PortalService(await TestService.start(all), mail, all);
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.mail.stop();
  }

  /** A visitor without cookies, at an address of its own unless one is given. */
  browser(address = nextAddress(), url = this.service.url): Browser {
    return new Browser(url, address);
  }

  /** A contact that may sign in, with an address of its own. */
  async contact(overrides: Record<string, unknown> = {}): Promise<Contact> {
    const email = `person${(counter += 1)}@acme.test`;
    const given = {
      email,
      full_name: 'Jane Smith',
      portal_access: 1,
      portal_role: 'client_viewer',
      ...overrides,
    };
    const { status, body } = await this.service.api.post('/api/contacts', given);
    expect({ status, body }).toMatchObject({ status: 201 });
    return { id: body.data.id as string, email: given.email };
  }

  /** Asks for a link and answers the request's id. */
  async ask(email: string, more: object = {}): Promise<string> {
    // Whatever was asked before is long ago, for the cooldown and the caps.
    await this.service.sql(`UPDATE magic_link SET created_at = created_at - interval '2 days'`);
    const { status, body } = await this.browser().post('/auth/magic-link', { email, ...more });
    expect(status).toBe(202);
    return body.data.request_id as string;
  }

  /** Asks for a link and waits for its mail. */
  async link(email: string, more: object = {}): Promise<ReceivedMail & { requestId: string }> {
    const requestId = await this.ask(email, more);
    // By its token: the mail of an earlier request may still be on its way.
    return { ...(await this.mail.mailWith(this.tokenOf(requestId))), requestId };
  }

  /** A browser in which the contact has just signed in, with the token that its mail carries. */
  async signIn({ email }: Contact, browser = this.browser()): Promise<Browser> {
    // Made as the mail makes it: waiting for the mail itself takes half a second, and is tested elsewhere.
    const token = this.tokenOf(await this.ask(email));
    const { status } = await browser.post('/auth/magic-link/verify', { token });
    expect(status).toBe(200);
    return browser;
  }

  private tokenOf(requestId: string): string {
    return tokenOf(this.service.app.get(Secrets), requestId);
  }

  /** A new contact and a browser in which it has just signed in. */
  async signedIn(overrides: Record<string, unknown> = {}): Promise<{ contact: Contact; browser: Browser }> {
    const contact = await this.contact(overrides);
    return { contact, browser: await this.signIn(contact) };
  }

  /** The published keys. */
  async jwks(url?: string): Promise<{ keys: JWK[] }> {
    return (await this.browser(undefined, url).get('/.well-known/jwks.json')).body;
  }

  /** How a token is answered that comes in the header, without cookies. */
  async statusOf(token: string, url?: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}`, origin: '' };
    return (await this.browser(undefined, url).get('/auth/session', { headers })).status;
  }

  /** The same service as another process, with the same settings and database. */
  secondProcess(settings: Record<string, string> = {}): Promise<RunningService> {
    const all = { ...this.settings, DATABASE_URL: this.service.databaseUrl, ...settings };
    return RunningService.start(all);
  }
}

let counter = 0;

function nextAddress(): string {
  counter += 1;
  return `198.18.${Math.floor(counter / 250)}.${(counter % 250) + 1}`;
}
