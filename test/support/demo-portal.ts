// The demo portal in a real browser: a service, the demo on other origins, Chromium, and what people do there.
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { findChromium, launchChromium, servePortal } from './chromium.js';
import { type Contact, PortalService } from './portal.js';
import { freePort } from './free-port.js';

export const PHONE = { width: 375, height: 740 };
const DESKTOP = { width: 1280, height: 860 };

/** Tests that share one service and one Chromium; without a Chromium they are skipped, and it is said. */
export function describeDemoPortal(tests: (demo: DemoPortal) => void): void {
  const executable = findChromium();
  // Not by console: jest drops what a file logs all of whose tests are skipped.
  if (!executable) process.stderr.write('Skipped: the tests in a browser need Chromium on the PATH.\n');
  (executable ? describe : describe.skip)('the demo portal', () => {
    const demo = new DemoPortal();
    beforeAll(() => demo.start(executable as string));
    afterAll(() => demo.stop());
    afterEach(() => demo.closePages());
    tests(demo);
  });
}

export class DemoPortal {
  portal!: PortalService;
  /** The demo where the service itself serves it. */
  home!: string;
  /** The demo on another port of the same host, on another host name, and on an origin that is not configured. */
  sibling!: string;
  otherSite!: string;
  foreign!: string;
  private browser!: Browser;
  private readonly contexts: BrowserContext[] = [];
  private readonly undo: (() => Promise<unknown>)[] = [];
  private companies = 0;

  async start(executable: string): Promise<void> {
    const PORT = String(await freePort());
    const PUBLIC_URL = `http://127.0.0.1:${PORT}`;
    const [served, servedToo] = await Promise.all([servePortal(PUBLIC_URL), servePortal(PUBLIC_URL)]);
    this.undo.push(served.stop, servedToo.stop);
    this.home = `${PUBLIC_URL}/portal-demo/`;
    this.sibling = `http://127.0.0.1:${served.port}`;
    this.otherSite = `http://localhost:${served.port}`;
    this.foreign = `http://127.0.0.1:${servedToo.port}`;
    const PORTAL_ORIGINS = `${this.sibling},${this.otherSite}`;
    this.portal = await PortalService.start({ PORT, PUBLIC_URL, PORTAL_ORIGINS });
    this.undo.unshift(() => this.portal.stop());
    this.browser = await launchChromium(executable);
    this.undo.unshift(() => this.browser.close());
  }

  async stop(): Promise<void> {
    for (const step of this.undo) await step();
  }

  async closePages(): Promise<void> {
    await Promise.all(this.contexts.splice(0).map((context) => context.close()));
  }

  /** A page in a browser that has never been here. */
  async visit(url = this.home, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ viewport: DESKTOP, ...options });
    this.contexts.push(context);
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async askForLink(page: Page, email: string): Promise<{ link: string; code: string }> {
    const { mail, service } = this.portal;
    await service.sql(`UPDATE magic_link SET created_at = created_at - interval '2 days'`);
    const before = mail.mailsTo(email).length;
    await page.getByRole('textbox', { name: 'E-mail address' }).fill(email);
    await button(page, 'Send me a link').click();
    await page.getByLabel('Six-digit code').waitFor();
    const { code, content } = await mail.mailTo(email, before + 1);
    const [link = ''] = /http\S+token=\S+/.exec(content.text ?? '') ?? [];
    return { link, code };
  }

  async signInByCode(email: string, url = this.home): Promise<Page> {
    const page = await this.visit(url);
    const { code } = await this.askForLink(page, email);
    await page.getByLabel('Six-digit code').fill(code);
    await button(page, 'Sign in').click();
    await heading(page, 'People');
    return page;
  }

  /** A company with an admin, a viewer and `more` others. */
  async company(more = 0): Promise<{ name: string; admin: Contact; viewer: Contact }> {
    const name = `Company ${(this.companies += 1)}`;
    const { body } = await this.portal.service.api.post('/api/companies', { name });
    const company_id = body.data.id as string;
    const person = (full_name: string, rest: object) =>
      this.portal.contact({ company_id, full_name, ...rest });
    const admin = await person('Ada Admin', { portal_role: 'client_admin', product: 'crm' });
    const viewer = await person('Vera Viewer', {
      first_name: 'Vera',
      full_name: undefined,
      last_name: 'Viewer',
    });
    const none = { portal_access: 0, portal_role: undefined };
    for (let i = 1; i <= more; i += 1) await person(`Person ${String(i).padStart(2, '0')}`, none);
    return { name, admin, viewer };
  }
}

export const sees = (page: Page, text: string | RegExp): Promise<void> =>
  page.getByText(text).first().waitFor();
export const heading = (page: Page, name: string): Promise<void> =>
  page.getByRole('heading', { name }).waitFor();
export const row = (page: Page, name: string): Locator =>
  page.getByRole('listitem').filter({ hasText: name });
export const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });
