// The demo portal in a real browser: signing in, and what becomes of a session.
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { picture } from '../support/chromium.js';
import { PHONE, button, describeDemoPortal, heading, sees } from '../support/demo-portal.js';

describeDemoPortal((demo) => {
  describe('signs in', () => {
    test('by the link of a mail, through the page with one button', async () => {
      const { admin, name } = await demo.company(6);
      const page = await demo.visit(demo.home, { viewport: PHONE });
      await heading(page, 'Sign in');
      await picture(page, 'sign-in-phone');
      const { link } = await demo.askForLink(page, admin.email);
      await picture(page, 'code-phone');
      await page.goto(link);
      await heading(page, 'Sign in to the portal');
      await picture(page, 'landing-phone');
      await button(page, 'Sign in').click();
      await heading(page, 'People');
      expect(page.url()).toBe(demo.home);
      await sees(page, name);
      await sees(page, 'Admin');
      await picture(page, 'people-phone');
    });

    test('by the link without JavaScript, too', async () => {
      const { admin } = await demo.company();
      const { link } = await demo.askForLink(await demo.visit(), admin.email);
      const page = await demo.visit(link, { javaScriptEnabled: false });
      await button(page, 'Sign in').click();
      await page.waitForURL(demo.home);
      const session = await page.context().request.get(new URL('/auth/session', demo.home).href);
      expect(await session.json()).toMatchObject({ data: { email: admin.email } });
    });

    test('by the code of the mail, and says so when it is wrong', async () => {
      const { viewer, name } = await demo.company();
      const page = await demo.visit();
      await picture(page, 'sign-in-desktop');
      const { code } = await demo.askForLink(page, viewer.email);
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
      let refreshes = 0;
      page.on('request', (request) => (refreshes += Number(request.url().endsWith('/auth/refresh'))));
      // Back from another tab: nobody is waited for any more.
      await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
      await page.getByRole('link', { name: 'My sessions' }).click();
      await heading(page, 'My sessions');
      expect(refreshes).toBe(0);
    });

    test('in the tab that waits, once the link was opened in another', async () => {
      const { admin } = await demo.company();
      const waiting = await demo.visit();
      const { link } = await demo.askForLink(waiting, admin.email);
      const other = await waiting.context().newPage();
      await other.goto(link);
      await button(other, 'Sign in').click();
      await heading(other, 'People');
      await waiting.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
      await heading(waiting, 'People');
    });

    test('not twice within a minute, and says how long to wait', async () => {
      const { admin } = await demo.company();
      const page = await demo.visit();
      await demo.askForLink(page, admin.email);
      await button(page, 'Use another address or ask again').click();
      await button(page, 'Send me a link').click();
      await sees(page, /Too many requests. Try again in \d+ seconds/);
    });

    test('by mail where Google is not configured, and says so', async () => {
      const page = await demo.visit();
      await button(page, 'Continue with Google').click();
      await sees(page, 'Google sign-in is not available now. Use your e-mail address, or try again.');
      expect(page.url()).toBe(demo.home);
      // It may have been for a moment.
      expect(await button(page, 'Continue with Google').isEnabled()).toBe(true);
    });

    test('keeps the session over a reload', async () => {
      const { admin } = await demo.company();
      const page = await demo.signInByCode(admin.email);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.reload();
      await heading(page, 'People');
      await picture(page, 'people-dark');
    });
  });

  describe('a session', () => {
    afterEach(() => {
      jest.useRealTimers();
    });

    test('outlives its access token: parallel calls share one refresh', async () => {
      const { admin } = await demo.company();
      const page = await demo.signInByCode(admin.email);
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
      const { admin } = await demo.company(12);
      const page = await demo.signInByCode(admin.email);
      await demo.portal.service.api.patch(`/api/contacts/${admin.id}`, { portal_access: 0 });
      await button(page, 'Next').click();
      await heading(page, 'Sign in');
      await sees(page, 'Your session has ended.');
      expect(await page.getByText('Person').count()).toBe(0);
      await picture(page, 'signed-out-desktop');
    });

    test('is listed, and ended from another', async () => {
      const { admin } = await demo.company();
      const first = await demo.signInByCode(admin.email);
      const second = await demo.signInByCode(admin.email);
      await second.getByRole('link', { name: 'My sessions' }).click();
      await sees(second, 'Chrome on Linux (this one)');
      await picture(second, 'sessions-desktop');
      await second.getByRole('button', { name: /^Sign out Chrome on Linux/ }).click();
      await sees(second, 'Signed out there.');
      await first.getByRole('link', { name: 'My sessions' }).click();
      await heading(first, 'Sign in');
    });

    test('ends with a sign-out, for good', async () => {
      const { admin } = await demo.company();
      const page = await demo.signInByCode(admin.email);
      await button(page, 'Sign out').click();
      await sees(page, 'You are signed out.');
      expect(await page.context().cookies()).toEqual([]);
      await page.reload();
      await heading(page, 'Sign in');
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
