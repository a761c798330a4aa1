// The demo portal in a real browser: signing in, people, sessions, other origins.
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { findChromium, launchChromium, picture, servePortal } from '../support/chromium.js';
import { PortalService, freePort } from '../support/portal.js';

const executable = findChromium();
if (!executable) console.warn('Skipped: the tests in a browser need Chromium on the PATH.');

const PHONE = { width: 375, height: 740 };
const DESKTOP = { width: 1280, height: 860 };

let browser: Browser;
let portal: PortalService;
let home: string;
/** The demo on another port of the same host, on another host name, and on an origin that is not configured. */
let sibling: string;
let otherSite: string;
let foreign: string;
const undo: (() => Promise<unknown>)[] = [];

(executable ? describe : describe.skip)('the demo portal', () => {
  beforeAll(async () => {
    const PORT = String(await freePort());
    const PUBLIC_URL = `http://127.0.0.1:${PORT}`;
    const [served, servedToo] = await Promise.all([servePortal(PUBLIC_URL), servePortal(PUBLIC_URL)]);
    undo.push(served.stop, servedToo.stop);
    home = `${PUBLIC_URL}/portal-demo/`;
    sibling = `http://127.0.0.1:${served.port}`;
    otherSite = `http://localhost:${served.port}`;
    foreign = `http://127.0.0.1:${servedToo.port}`;
    portal = await PortalService.start({ PORT, PUBLIC_URL, PORTAL_ORIGINS: `${sibling},${otherSite}` });
    undo.unshift(() => portal.stop());
    browser = await launchChromium(executable as string);
    undo.unshift(() => browser.close());
  }, 60_000);
  afterAll(async () => {
    for (const step of undo) await step();
  });

  const contexts: BrowserContext[] = [];
  afterEach(async () => {
    jest.useRealTimers();
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  });

  /** A page in a browser that has never been here. */
  async function visit(url = home, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: DESKTOP, ...options });
    contexts.push(context);
    context.setDefaultTimeout(8_000);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  const sees = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const heading = (page: Page, name: string) => page.getByRole('heading', { name }).waitFor();
  const row = (page: Page, name: string) => page.getByRole('listitem').filter({ hasText: name });
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  async function askForLink(page: Page, email: string) {
    await portal.service.sql(`UPDATE magic_link SET created_at = created_at - interval '2 days'`);
    const before = portal.mail.mailsTo(email).length;
    await page.getByRole('textbox', { name: 'E-mail address' }).fill(email);
    await button(page, 'Send me a link').click();
    await page.getByLabel('Six-digit code').waitFor();
    const mail = await portal.mail.mailTo(email, before + 1);
    const [link = ''] = /http\S+token=\S+/.exec(mail.content.text ?? '') ?? [];
    return { link, code: mail.code };
  }

  async function signInByCode(email: string, url = home): Promise<Page> {
    const page = await visit(url);
    const { code } = await askForLink(page, email);
    await page.getByLabel('Six-digit code').fill(code);
    await button(page, 'Sign in').click();
    await heading(page, 'People');
    return page;
  }

  let companies = 0;
  /** A company with an admin, a viewer and `more` others. */
  async function company(more = 0) {
    const name = `Company ${(companies += 1)}`;
    const { body } = await portal.service.api.post('/api/companies', { name });
    const company_id = body.data.id as string;
    const person = (full_name: string, rest: object) => portal.contact({ company_id, full_name, ...rest });
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

  describe('signs in', () => {
    test('by the link of a mail, through the page with one button', async () => {
      const { admin, name } = await company(6);
      const page = await visit(home, { viewport: PHONE });
      await heading(page, 'Sign in');
      await picture(page, 'sign-in-phone');
      const { link } = await askForLink(page, admin.email);
      await picture(page, 'code-phone');
      await page.goto(link);
      await heading(page, 'Sign in to the portal');
      await picture(page, 'landing-phone');
      await button(page, 'Sign in').click();
      await heading(page, 'People');
      expect(page.url()).toBe(home);
      await sees(page, name);
      await sees(page, 'Admin');
      await picture(page, 'people-phone');
    });

    test('by the link without JavaScript, too', async () => {
      const { admin } = await company();
      const { link } = await askForLink(await visit(), admin.email);
      const page = await visit(link, { javaScriptEnabled: false });
      await button(page, 'Sign in').click();
      await page.waitForURL(home);
      const session = await page.context().request.get(new URL('/auth/session', home).href);
      expect(await session.json()).toMatchObject({ data: { email: admin.email } });
    });

    test('by the code of the mail, and says so when it is wrong', async () => {
      const { viewer, name } = await company();
      const page = await visit();
      await picture(page, 'sign-in-desktop');
      const { code } = await askForLink(page, viewer.email);
      const input = page.getByLabel('Six-digit code');
      await input.fill(code === '000000' ? '000001' : '000000');
      await input.press('Enter');
      await sees(page, 'That code is not right');
      expect(await input.getAttribute('aria-invalid')).toBe('true');
      await input.fill(`${code.slice(0, 3)} ${code.slice(3)}`);
      await input.press('Enter');
      await heading(page, 'People');
      await sees(page, name);
      await sees(page, 'Viewer');
    });

    test('in the tab that waits, once the link was opened in another', async () => {
      const { admin } = await company();
      const waiting = await visit();
      const { link } = await askForLink(waiting, admin.email);
      const other = await waiting.context().newPage();
      await other.goto(link);
      await button(other, 'Sign in').click();
      await heading(other, 'People');
      await waiting.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
      await heading(waiting, 'People');
    });

    test('not twice within a minute, and says how long to wait', async () => {
      const { admin } = await company();
      const page = await visit();
      await askForLink(page, admin.email);
      await button(page, 'Use another address or ask again').click();
      await button(page, 'Send me a link').click();
      await sees(page, /Too many requests. Try again in \d+ seconds/);
    });

    test('by mail where Google is not configured, and says so', async () => {
      const page = await visit();
      await button(page, 'Continue with Google').click();
      await sees(page, 'Google sign-in is not available here. Use your e-mail address.');
      expect(page.url()).toBe(home);
    });

    test('keeps the session over a reload', async () => {
      const { admin } = await company();
      const page = await signInByCode(admin.email);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.reload();
      await heading(page, 'People');
      await picture(page, 'people-dark');
    });
  });

  describe('people', () => {
    test('are the own company’s, in pages that can be searched', async () => {
      await company(3);
      const { admin } = await company(28);
      const page = await signInByCode(admin.email);
      await sees(page, '1–10 of 30');
      await picture(page, 'people-desktop');
      expect(await button(page, 'Previous').isDisabled()).toBe(true);
      await button(page, 'Next').click();
      await sees(page, '11–20 of 30');
      await button(page, 'Next').click();
      await sees(page, '21–30 of 30');
      expect(await button(page, 'Next').isDisabled()).toBe(true);
      await page.getByRole('searchbox').fill('person 2');
      await sees(page, '1–9 of 9');
      await page.getByRole('searchbox').fill('<b>nobody</b>');
      await sees(page, 'Nobody matches “<b>nobody</b>”.');
    });

    test('are edited by an admin, who sees what is wrong at its field', async () => {
      const { admin } = await company(1);
      const page = await signInByCode(admin.email);
      await button(page, 'Edit Person 01').click();
      await page.getByLabel('Title').fill('Head of Things');
      const email = page.getByRole('dialog').getByLabel('E-mail address');
      await email.fill('not an address');
      await button(page, 'Save').click();
      await page
        .getByRole('dialog')
        .getByText(/email .*address/i)
        .waitFor();
      expect(await page.locator(':focus').getAttribute('name')).toBe('email');
      await picture(page, 'edit-desktop');
      await email.fill('person.one@acme.test');
      await button(page, 'Save').click();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      await row(page, 'Person 01').getByText('Head of Things').waitFor();
      await row(page, 'Person 01').getByText('person.one@acme.test').waitFor();
    });

    test('edit themselves as viewers, and nobody else', async () => {
      const { viewer } = await company(1);
      const page = await signInByCode(viewer.email);
      await row(page, 'Ada Admin').waitFor();
      expect(await page.getByRole('button', { name: /^Edit/ }).allTextContents()).toHaveLength(1);
      await button(page, 'Edit Vera Viewer').click();
      expect(await page.getByRole('dialog').getByLabel('Title').isVisible()).toBe(false);
      await page.getByLabel('Last name').fill('Newname');
      await page.keyboard.press('Enter');
      await row(page, 'Vera Newname').waitFor();
      await page.getByRole('banner').getByText('Vera Newname').waitFor();
    });

    test('changed by somebody else meanwhile are shown anew, not overwritten', async () => {
      const { admin, viewer } = await company();
      const page = await signInByCode(admin.email);
      await button(page, 'Edit Vera Viewer').click();
      await page.getByRole('dialog').waitFor();
      await portal.service.api.patch(`/api/contacts/${viewer.id}`, { title: 'Set by another' });
      await page.getByLabel('Department').fill('Sales');
      await button(page, 'Save').click();
      await sees(page, 'Somebody else has changed this person meanwhile');
      expect(await page.getByLabel('Title').inputValue()).toBe('Set by another');
    });

    test('are given and refused access by an admin', async () => {
      const { admin } = await company(1);
      const page = await signInByCode(admin.email);
      let before = 'No';
      const change = async (access: string) => {
        await button(page, 'Edit Person 01').click();
        await page.getByRole('dialog').waitFor();
        expect(await page.getByRole('radio', { name: before }).isChecked()).toBe(true);
        await page.getByRole('radio', { name: access }).check();
        await button(page, 'Save').click();
        before = access;
      };
      await change('Viewer');
      await row(page, 'Person 01').getByText('Viewer').waitFor();
      await change('Admin');
      await row(page, 'Person 01').getByText('Admin').waitFor();
      await change('No');
      await row(page, 'Person 01').locator('.badge').waitFor({ state: 'detached' });
      // But nobody decides on their own.
      await button(page, 'Edit Ada Admin').click();
      expect(await page.getByRole('radio').first().isVisible()).toBe(false);
    });
  });

  describe('a session', () => {
    test('outlives its access token: parallel calls share one refresh', async () => {
      const { admin } = await company();
      const page = await signInByCode(admin.email);
      let refreshes = 0;
      page.on('request', (request) => (refreshes += Number(request.url().endsWith('/auth/refresh'))));
      // Twenty minutes later for the service alone; timers go on as they are.
      jest.useFakeTimers({ now: Date.now() + 20 * 60_000, doNotFake: [...TIMERS] });
      const bothAsked = Promise.withResolvers<void>();
      let asked = 0;
      await page.route(/\/auth\/sessions|\/api\/contacts/, async (route) => {
        if ((asked += 1) === 2) bothAsked.resolve();
        await bothAsked.promise;
        await route.continue();
      });
      await page.getByRole('link', { name: 'My sessions' }).click();
      await page.getByRole('link', { name: 'People' }).click();
      await page.waitForResponse((response) => response.url().includes('/api/contacts') && response.ok());
      await heading(page, 'People');
      expect({ refreshes, asked }).toEqual({ refreshes: 1, asked: 4 });
    });

    test('ends at the next click after portal access was withdrawn', async () => {
      const { admin } = await company(12);
      const page = await signInByCode(admin.email);
      await portal.service.api.patch(`/api/contacts/${admin.id}`, { portal_access: 0 });
      await button(page, 'Next').click();
      await heading(page, 'Sign in');
      await sees(page, 'Your session has ended.');
      expect(await page.getByText('Person').count()).toBe(0);
      await picture(page, 'signed-out-desktop');
    });

    test('is listed, and ended from another', async () => {
      const { admin } = await company();
      const first = await signInByCode(admin.email);
      const second = await signInByCode(admin.email);
      await second.getByRole('link', { name: 'My sessions' }).click();
      await sees(second, 'Chrome on Linux (this one)');
      await picture(second, 'sessions-desktop');
      await second.getByRole('button', { name: /^Sign out Chrome on Linux/ }).click();
      await sees(second, 'Signed out there.');
      await first.getByRole('link', { name: 'My sessions' }).click();
      await heading(first, 'Sign in');
    });

    test('ends with a sign-out, for good', async () => {
      const { admin } = await company();
      const page = await signInByCode(admin.email);
      await button(page, 'Sign out').click();
      await sees(page, 'You are signed out.');
      expect(await page.context().cookies()).toEqual([]);
      await page.reload();
      await heading(page, 'Sign in');
    });
  });

  describe('on an origin of its own', () => {
    test('signs in by link, edits, survives a reload and signs out on another port of the same host', async () => {
      const { admin } = await company(1);
      const page = await visit(sibling);
      const { link } = await askForLink(page, admin.email);
      await page.goto(link);
      await button(page, 'Sign in').click();
      await page.waitForURL(`${sibling}/`);
      await heading(page, 'People');
      await button(page, 'Edit Person 01').click();
      await page.getByLabel('Phone').fill('+1 555 0100');
      await button(page, 'Save').click();
      await sees(page, 'Saved.');
      await page.reload();
      await heading(page, 'People');
      await button(page, 'Sign out').click();
      await sees(page, 'You are signed out.');
    });

    test('works by its token alone on another site, where no SameSite=Lax cookie goes along', async () => {
      const { admin } = await company();
      const page = await signInByCode(admin.email, otherSite);
      await page.getByRole('link', { name: 'My sessions' }).click();
      await heading(page, 'My sessions');
      await page.reload();
      await heading(page, 'Sign in');
    });

    test('gets nothing when its origin is not configured', async () => {
      const { admin } = await company();
      const page = await visit(foreign);
      await sees(page, 'The service cannot be reached.');
      await page.getByRole('textbox', { name: 'E-mail address' }).fill(admin.email);
      await button(page, 'Send me a link').click();
      await sees(page, 'The service cannot be reached.');
      expect(await portal.service.sql('SELECT FROM magic_link WHERE contact_id = $1', [admin.id])).toEqual(
        [],
      );
    });
  });
});

/** All that jest could fake but the clock. */
const TIMERS = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;
