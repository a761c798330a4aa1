// Tokens and codes exist with whom they belong to, and nowhere else: not in a table, not in a log.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runEntry } from '../support/process.js';
import { PUBLIC_URL, PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

describe('secrets at rest', () => {
  test('no token or code is in any table, nor in the log of production', async () => {
    const production = await portal.secondProcess({ NODE_ENV: 'production', LOG_LEVEL: 'trace' });
    const secrets: Record<string, string> = {};
    try {
      const contact = await portal.contact();
      const browser = portal.browser(undefined, production.url);
      // One link stays open, one is used, and its code fails.
      const open = await portal.link((await portal.contact()).email);
      const used = await portal.link(contact.email);
      await browser.get(`/auth/magic-link?token=${used.token}`);
      await browser.post('/auth/magic-link/verify', { request_id: used.requestId, code: open.code });
      await browser.post('/auth/magic-link/verify', { token: used.token });
      Object.assign(secrets, {
        openToken: open.token,
        openCode: open.code,
        token: used.token,
        code: used.code,
      });
      Object.assign(secrets, { access: browser.accessToken, refresh: browser.refreshToken });
      await browser.post('/auth/magic-link/verify', { token: used.token });
      await browser.post('/auth/magic-link/confirm', undefined, {
        form: { token: used.token },
        headers: { origin: PUBLIC_URL },
      });
      await browser.get('/auth/session', {
        headers: { authorization: `Bearer ${browser.accessToken}`, cookie: '' },
      });
      await browser.post('/auth/refresh');
      Object.assign(secrets, { access2: browser.accessToken, refresh2: browser.refreshToken });
      await browser.get('/auth/sessions');
      await browser.post('/auth/logout', { scope: 'all' });
      await browser.post('/auth/refresh', undefined, {
        headers: { cookie: `sm_refresh=${secrets.refresh2}` },
      });
      // Faults on our side are logged with what led to them; a refused body and a failed job are faults of others.
      const again = await portal.signIn(contact, portal.browser(undefined, production.url));
      const failing = await portal.link((await portal.contact()).email);
      Object.assign(secrets, {
        refresh3: again.refreshToken,
        failingToken: failing.token,
        failingCode: failing.code,
      });
      await portal.service.sql('ALTER TABLE refresh_token RENAME TO refresh_token_away');
      expect((await again.post('/auth/refresh')).status).toBe(500);
      expect((await browser.post('/auth/magic-link/verify', { token: failing.token })).status).toBe(500);
      await portal.service.sql('ALTER TABLE refresh_token_away RENAME TO refresh_token');
      await browser.post('/auth/magic-link/verify', undefined, {
        headers: { 'content-type': 'text/plain', 'x-token': used.token },
      });
      await portal.mail.stop();
      await portal.ask(contact.email);
      await portal.mail.start();
      await runEntry('cli', ['signing-keys', 'rotate'], {
        ...portal.settings,
        DATABASE_URL: portal.service.databaseUrl,
      });
    } finally {
      await production.stop();
    }
    expect(Object.values(secrets).every((secret) => secret.length >= 6)).toBe(true);

    const log = production.output;
    expect(log).toContain('internal_error');
    const dumped = await dump();
    expect(Object.keys(dumped)).toEqual(
      expect.arrayContaining(['public.magic_link', 'public.refresh_token', 'pgboss.job']),
    );
    for (const [name, secret] of Object.entries(secrets)) {
      expect({
        name,
        tables: Object.keys(dumped).filter((table) => holds(dumped[table] ?? '', secret)),
      }).toEqual({ name, tables: [] });
      expect({ name, logged: holds(log, secret) }).toEqual({ name, logged: false });
    }
    expect(log).not.toContain(portal.settings.PORTAL_SECRET);
  });

  /** Every row of every table as text, bytea in hexadecimal. */
  async function dump(): Promise<Record<string, string>> {
    const tables = await portal.service.sql<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const dumped: Record<string, string> = {};
    for (const { name } of tables) {
      const rows = await portal.service.sql<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
      dumped[name] = rows.map(({ row }) => row).join('\n');
    }
    return dumped;
  }

  /** Whether the text holds the secret as it is, encoded, or as the bytes it stands for. */
  function holds(text: string, secret: string): boolean {
    // Six digits turn up in hashes and fractions of a second: only whole words count.
    if (secret.length === 6)
      return new RegExp(`(?<![\\w.])${secret}(?!\\w)`).test(text) || text.includes(hex(secret, 'utf8'));
    return [
      secret,
      hex(secret, 'utf8'),
      hex(secret, 'base64url'),
      Buffer.from(secret).toString('base64'),
    ].some((form) => text.includes(form));
  }

  const hex = (secret: string, encoding: 'utf8' | 'base64url') =>
    Buffer.from(secret, encoding).toString('hex');
});
