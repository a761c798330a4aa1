// Secrets that come in files: what is read, and what is refused before anything is built on it.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { envSchema, loadEnv } from '../src/config/env.js';
import { runEntry } from './support/process.js';

const SECRET = 'a secret that is long enough: 0123456789';
/** Every setting with a secret in it, and one that is good. */
const SECRETS: Record<string, string> = {
  DATABASE_URL: 'postgres://contacts:hunter2@db.internal:5432/contacts',
  DATABASE_REPLICA_URL: 'postgres://contacts:hunter2@replica.internal:5432/contacts',
  DATABASE_DIRECT_URL: 'postgres://contacts:hunter2@db.internal:5433/contacts',
  JWT_SECRET: SECRET,
  PORTAL_SECRET: SECRET,
  SMTP_URL: 'smtps://contacts:hunter2@mail.internal',
  GOOGLE_CLIENT_SECRET: 'google-secret',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'contacts-secrets-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function fileWith(content: string): Promise<string> {
  const path = join(folder, `secret-${(files += 1)}`);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

const load = (settings: Record<string, string>) => loadEnv({ GOOGLE_CLIENT_ID: 'google-id', ...settings });

describe('a secret in a file', () => {
  test.each(Object.entries(SECRETS))('is taken for %s', async (name, secret) => {
    const others: Record<string, string> =
      name === 'GOOGLE_CLIENT_SECRET' ? {} : { GOOGLE_CLIENT_SECRET: 'google-secret' };
    for (const end of ['', '\n', '\r\n']) {
      const path = await fileWith(secret + end);
      expect(load({ ...others, [`${name}_FILE`]: path })).toMatchObject({ [name]: secret });
    }
  });

  test('keeps all but one line break at its end', async () => {
    const path = await fileWith(` ${SECRET} \n\n`);
    expect(loadEnv({ PORTAL_SECRET_FILE: path }).PORTAL_SECRET).toBe(` ${SECRET} \n`);
  });

  test('is held to the same rules, which never tell its content', async () => {
    const short = await fileWith('hunter2');
    const wrong = await fileWith('mysql://contacts:hunter2@db/contacts');
    const refused = refusal({ PORTAL_SECRET_FILE: short, DATABASE_URL_FILE: wrong });
    expect(refused).toMatch(/^  PORTAL_SECRET: .*32/m);
    expect(refused).toMatch(/^  DATABASE_URL: /m);
    expect(refused).not.toContain('hunter2');
  });

  test('is no placeholder in production', async () => {
    const path = await fileWith('placeholder-for-development-only-never-in-production\n');
    const database = await fileWith('postgres://contacts:change-me@db/contacts');
    const production = { NODE_ENV: 'production', PUBLIC_URL: 'https://contacts.acme.test' };
    const given = { ...production, PORTAL_SECRET_FILE: path, DATABASE_URL_FILE: database };
    expect(refusal(given)).toContain('PORTAL_SECRET: still a placeholder');
    expect(refusal(given)).toContain('DATABASE_URL: still a placeholder');
  });

  test('is not taken for what is no secret', async () => {
    expect(loadEnv({ PORT_FILE: await fileWith('4000') }).PORT).toBe(3000);
  });
});

describe('is refused in one sentence:', () => {
  test('a secret given twice', async () => {
    const path = await fileWith(SECRET);
    expect(refusal({ PORTAL_SECRET: SECRET, PORTAL_SECRET_FILE: path })).toBe(
      'The environment is not valid:\n  PORTAL_SECRET_FILE: goes without PORTAL_SECRET: set one of them',
    );
    expect(loadEnv({ PORTAL_SECRET: '', PORTAL_SECRET_FILE: path }).PORTAL_SECRET).toBe(SECRET);
    expect(loadEnv({ PORTAL_SECRET: SECRET, PORTAL_SECRET_FILE: '' }).PORTAL_SECRET).toBe(SECRET);
  });

  test.each(['', '\n', '\r\n'])('a file of %j', async (content) => {
    const path = await fileWith(content);
    expect(refusal({ PORTAL_SECRET_FILE: path })).toBe(
      `The environment is not valid:\n  PORTAL_SECRET_FILE: ${path} is empty`,
    );
  });

  test('a file that is not there, and a folder, together with all other faults', () => {
    const missing = join(folder, 'missing');
    expect(refusal({ JWT_SECRET_FILE: missing, SMTP_URL_FILE: folder, PORT: 'http' })).toMatch(
      new RegExp(
        `^The environment is not valid:\n  JWT_SECRET_FILE: ${missing} cannot be read \\(ENOENT\\)\n` +
          `  SMTP_URL_FILE: ${folder} cannot be read \\(EISDIR\\)\n  PORT: .*$`,
      ),
    );
  });

  // Root may read everything.
  (process.getuid?.() === 0 ? test.skip : test)('a file that we may not read', async () => {
    const path = await fileWith(SECRET);
    await chmod(path, 0o000);
    expect(refusal({ PORTAL_SECRET_FILE: path })).toContain(`${path} cannot be read (EACCES)`);
  });
});

test('every setting that sounds like a secret can come in a file', () => {
  const names = Object.keys(envSchema.shape).filter((name) =>
    /SECRET|PASSWORD|TOKEN$|(?<!^RATE_LIMIT_)KEY$|^(DATABASE|SMTP).*URL/.test(name),
  );
  expect(names.toSorted()).toEqual(Object.keys(SECRETS).toSorted());
});

test('the service and its commands read them', async () => {
  const nowhere = await fileWith('postgres://contacts:hunter2@127.0.0.1:1/contacts\n');
  for (const [entry, args] of [
    ['main', []],
    ['cli', ['keys', 'list']],
    ['migrate', ['status']],
  ] as const) {
    const { code, stderr } = await runEntry(entry, [...args], {
      DATABASE_URL: '',
      DATABASE_URL_FILE: nowhere,
      DATABASE_START_TIMEOUT_MS: '0',
    });
    expect({ entry, code }).toEqual({ entry, code: 1 });
    expect(stderr).toMatch(/127\.0\.0\.1:1/);
    expect(stderr).not.toContain('hunter2');
  }
});

function refusal(settings: Record<string, string>): string {
  try {
    load({ GOOGLE_CLIENT_SECRET: 'google-secret', ...settings });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It was accepted.');
}
