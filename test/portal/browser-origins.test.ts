// The demo portal in a real browser: served from origins other than the service’s.
import { describe, expect, test } from '@jest/globals';
import { button, describeDemoPortal, heading, sees } from '../support/demo-portal.js';

describeDemoPortal((demo) => {
  describe('on an origin of its own', () => {
    test('signs in by link, edits, survives a reload and signs out on another port of the same host', async () => {
      const { admin } = await demo.company(1);
      const page = await demo.visit(demo.sibling);
      const { link } = await demo.askForLink(page, admin.email);
      await page.goto(link);
      await button(page, 'Sign in').click();
      await page.waitForURL(`${demo.sibling}/`);
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
      const { admin } = await demo.company();
      const page = await demo.signInByCode(admin.email, demo.otherSite);
      await page.getByRole('link', { name: 'My sessions' }).click();
      await heading(page, 'My sessions');
      await page.reload();
      await heading(page, 'Sign in');
    });

    test('gets nothing when its origin is not configured', async () => {
      const { admin } = await demo.company();
      const page = await demo.visit(demo.foreign);
      await sees(page, 'The service cannot be reached.');
      await page.getByRole('textbox', { name: 'E-mail address' }).fill(admin.email);
      await button(page, 'Send me a link').click();
      await sees(page, 'The service cannot be reached.');
      expect(
        await demo.portal.service.sql('SELECT FROM magic_link WHERE contact_id = $1', [admin.id]),
      ).toEqual([]);
    });
  });
});
