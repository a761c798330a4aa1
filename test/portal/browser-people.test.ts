// The demo portal in a real browser: the people of a company, seen and edited.
import { describe, expect, test } from '@jest/globals';
import { picture } from '../support/chromium.js';
import { button, describeDemoPortal, row, sees } from '../support/demo-portal.js';

describeDemoPortal((demo) => {
  describe('people', () => {
    test('are the own company’s, in pages that can be searched', async () => {
      await demo.company(3);
      const { admin } = await demo.company(28);
      const page = await demo.signInByCode(admin.email);
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
      const { admin } = await demo.company(1);
      const page = await demo.signInByCode(admin.email);
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
      const { viewer } = await demo.company(1);
      const page = await demo.signInByCode(viewer.email);
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
      const { admin, viewer } = await demo.company();
      const page = await demo.signInByCode(admin.email);
      await button(page, 'Edit Vera Viewer').click();
      await page.getByRole('dialog').waitFor();
      await demo.portal.service.api.patch(`/api/contacts/${viewer.id}`, { title: 'Set by another' });
      await page.getByLabel('Department').fill('Sales');
      await button(page, 'Save').click();
      await sees(page, 'Somebody else has changed this person meanwhile');
      expect(await page.getByLabel('Title').inputValue()).toBe('Set by another');
    });

    test('are given and refused access by an admin', async () => {
      const { admin } = await demo.company(1);
      const page = await demo.signInByCode(admin.email);
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
});
