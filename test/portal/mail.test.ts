// The mail of a sign-in: what it says, and to whom it goes.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { loadEnv } from '../../src/config/env.js';
import { createTestDatabase } from '../support/database.js';
import { mailJobIn } from '../support/mail-jobs.js';
import { runEntry } from '../support/process.js';
import { PORTAL } from '../support/browser.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const jobIn = (requestId: string, state: string) => mailJobIn(portal, requestId, state);

describe('the mail', () => {
  test('has a text and an HTML part with the same link and code, and says for what', async () => {
    const { email } = await portal.contact();
    const { content, recipients, token, code } = await portal.link(email, { product: 'crm' });
    expect(content.subject).toBe('Sign in to crm');
    expect(content.from?.text).toBe('"Acme" <no-reply@acme.test>');
    expect({ to: content.to, recipients }).toMatchObject({ to: { text: email }, recipients: [email] });
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(code).toMatch(/^\d{6}$/);
    const url = `${PUBLIC_URL}/auth/magic-link?token=${token}`;
    expect(content.text).toContain(url);
    expect(content.html).toContain(`href="${url}"`);
    expect(content.html).toContain(`>${code}<`);
    expect(content.attachments).toEqual([]);
  });

  test('says "the portal" where no product was named', async () => {
    expect((await portal.link((await portal.contact()).email)).content.subject).toBe('Sign in to the portal');
  });

  test('goes to the stored address, however it was spelled in the request', async () => {
    const { email } = await portal.contact();
    await portal.ask(`  ${email.toUpperCase()} `);
    expect((await portal.mail.mailTo(email)).content.to).toMatchObject({ text: email });
  });

  test('does not go to anybody without access', async () => {
    const before = portal.mail.received.length;
    const { email } = await portal.contact({ portal_access: 0, portal_role: null });
    for (const address of [email, 'nobody@acme.test']) await jobIn(await portal.ask(address), 'completed');
    expect(portal.mail.received).toHaveLength(before);
  });

  test('is not sent any more once a newer request, or withdrawn access, has voided the link', async () => {
    const { id, email } = await portal.contact();
    await portal.mail.stop();
    const older = await portal.ask(email);
    await jobIn(older, 'retry');
    const newer = await portal.ask(email);
    await portal.mail.start();
    await jobIn(older, 'completed');
    await jobIn(newer, 'completed');
    expect(portal.mail.mailsTo(email)).toHaveLength(1);
    await portal.mail.stop();
    const last = await portal.ask(email);
    await jobIn(last, 'retry');
    await portal.service.api.patch(`/api/contacts/${id}`, { portal_access: 0 });
    await portal.mail.start();
    await jobIn(last, 'completed');
    expect(portal.mail.mailsTo(email)).toHaveLength(1);
  });

  test('never takes its link from the Host of a request', async () => {
    const { email } = await portal.contact();
    const poisoned = portal.service.as({
      host: 'evil.test',
      origin: 'https://evil.test',
      referer: 'https://evil.test/',
      forwarded: 'host=evil.test;proto=http',
      'x-forwarded-host': 'evil.test',
      'x-forwarded-proto': 'http',
      'x-forwarded-for': '198.51.100.77',
      'x-original-url': 'https://evil.test/',
    });
    expect((await poisoned.post('/auth/magic-link', { email })).status).toBe(202);
    const { content, token } = await portal.mail.mailTo(email);
    expect(content.text).toContain(`${PUBLIC_URL}/auth/magic-link?token=${token}`);
    expect(`${content.text}${String(content.html)}${JSON.stringify(content.headerLines)}`).not.toContain(
      'evil',
    );
  });
});

describe('addresses that are meant to reach somebody else', () => {
  test.each([
    ['a second recipient after a comma', (email: string) => `${email},evil@evil.test`],
    ['a second recipient after a semicolon', (email: string) => `${email};evil@evil.test`],
    ['a second recipient after a space', (email: string) => `${email} evil@evil.test`],
    ['a display name', (email: string) => `Jane <${email}>`],
    ['a display name that is another address', (email: string) => `"evil@evil.test" <${email}>`],
    ['a header after CRLF', (email: string) => `${email}\r\nBcc: evil@evil.test`],
    ['a header after LF in front', (email: string) => `evil@evil.test\n${email}`],
    ['a null byte', (email: string) => `${email}\u0000@evil.test`],
    ['a list', (email: string) => [email, 'evil@evil.test']],
    ['an object', (email: string) => ({ address: email })],
    ['a Cyrillic look-alike in the local part', (email: string) => email.replace('e', 'е')],
    ['a full-width letter in the local part', (email: string) => email.replace('p', 'ｐ')],
    ['a dotless i that grows up to I', (email: string) => `ı${email}`],
    ['an invisible character', (email: string) => email.replace('@', '\u200b@')],
    ['a quoted local part', (email: string) => `"${email}"@evil.test`],
    ['a source route', (email: string) => `@evil.test:${email}`],
    ['a percent sign route', (email: string) => `${email.replace('@', '%')}@`],
  ])('%s is refused', async (_case, spoil) => {
    const { email } = await portal.contact();
    const { status, body } = await portal.browser().post('/auth/magic-link', { email: spoil(email) });
    expect({ status, field: body.error?.field }).toEqual({ status: 400, field: 'email' });
    expect(portal.mail.mailsTo(email)).toEqual([]);
  });

  test.each([
    ['a Cyrillic look-alike in the domain', (email: string) => email.replace('acme', 'аcme')],
    ['a plus tag', (email: string) => email.replace('@', '+evil@')],
    ['a trailing subdomain', (email: string) => `${email}.evil.test`],
  ])('%s is another address, and nobody’s', async (_case, spoil) => {
    const { email } = await portal.contact();
    const before = portal.mail.received.length;
    await jobIn(await portal.ask(spoil(email)), 'completed');
    expect(portal.mail.received).toHaveLength(before);
  });
});

describe('without an SMTP server', () => {
  /** A process with a database, and so a queue, of its own. */
  const alone = async (
    settings: Record<string, string>,
    work: (url: string, log: () => string) => Promise<void>,
  ) => {
    const database = await createTestDatabase();
    const own = await portal.secondProcess({ SMTP_URL: '', DATABASE_URL: database.url, ...settings });
    try {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await client.query(
        `INSERT INTO contact (id, email, portal_access, portal_role) VALUES ('ct_1', 'jane@acme.test', 1, 'client_viewer')`,
      );
      await client.end();
      await work(own.url, () => own.output);
    } finally {
      await own.stop();
      await database.drop();
    }
  };
  const ask = (url: string, email: string) =>
    portal.browser(undefined, url).post('/auth/magic-link', { email });

  test('development prints the link on the console', async () => {
    await alone({}, async (url, log) => {
      expect((await ask(url, 'jane@acme.test')).status).toBe(202);
      while (!log().includes('token=')) await sleep(20);
      const [, token] = /magic-link\?token=([\w-]{43})/.exec(log()) ?? [];
      expect((await portal.browser(undefined, url).post('/auth/magic-link/verify', { token })).status).toBe(
        200,
      );
    });
  });

  test('production answers 503 to everybody, and prints nothing', async () => {
    await alone({ NODE_ENV: 'production', LOG_LEVEL: 'trace' }, async (url, log) => {
      for (const email of ['jane@acme.test', 'nobody@acme.test']) {
        const { status, body } = await ask(url, email);
        expect({ status, error: body.error }).toMatchObject({ status: 503, error: { code: 'unavailable' } });
      }
      expect(log()).not.toMatch(/token=|jane@acme|Sign in/);
    });
  });
});

test('production refuses the secret that development starts with', async () => {
  const { code, stdout, stderr } = await runEntry('main', [], {
    ...portal.settings,
    NODE_ENV: 'production',
    DATABASE_URL: portal.service.databaseUrl,
    PORTAL_SECRET: '',
    PORT: '0',
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('PORTAL_SECRET: still a placeholder');
});

test.each([
  `${PORTAL}/`,
  'portal.acme.test',
  '*',
  'null',
  `${PORTAL}:443`,
  'ftp://portal.acme.test',
  'https://Portal.acme.test',
])('PORTAL_ORIGINS refuses %s, which no browser sends as an origin', (origins) => {
  expect(() => loadEnv({ PORTAL_ORIGINS: origins })).toThrow('PORTAL_ORIGINS: must be origins');
});
