// The reference in a real browser: its page works under its own policy, and asks nobody else for anything.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { findChromium, launchChromium } from '../support/chromium.js';
import { TestService } from '../support/service.js';
import { freePort } from '../support/free-port.js';

const executable = findChromium();
if (!executable) process.stderr.write('Skipped: the reference in a browser needs Chromium on the PATH.\n');

// Chromium is not among the dependencies: it is found on this machine, or not.
(executable ? describe : describe.skip)('the reference', () => {
  let service: TestService;
  let url: string;
  let browser: Browser;
  beforeAll(async () => {
    const PORT = String(await freePort());
    url = `http://localhost:${PORT}`;
    service = await TestService.start({ PORT, PUBLIC_URL: url });
    browser = await launchChromium(executable as string);
  });
  afterAll(async () => {
    await browser?.close();
    await service.stop();
  });

  test('is shown, and tried out', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const elsewhere: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith('data:') && !request.url().startsWith(url)) elsewhere.push(request.url());
    });
    await page.goto(`${url}/docs`);
    const operation = page.locator('.opblock', { hasText: '/health/live' });
    await operation.locator('.opblock-summary').click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table .response');
    await answer.waitFor();
    expect(await answer.innerText()).toMatch(/^200/);
    expect({ complaints, elsewhere }).toEqual({ complaints: [], elsewhere: [] });
  });
});
