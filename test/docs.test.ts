// The documents say what the code does: settings, error codes, commands, links and answers.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { ERRORS, FAULT_CODES } from '../src/common/errors.js';
import { envSchema, loadEnv } from '../src/config/env.js';
import { expectDocumented } from './support/documented.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, group = '']) => group);

const DOCUMENTS = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

describe('.env.example', () => {
  const text = read('.env.example');
  const examples = parseEnv(text.replaceAll(/^# (?=[A-Z_]+=)/gm, '')) as Record<string, string>;

  test('lists exactly the settings, each with a comment above it', () => {
    expect(Object.keys(examples).toSorted()).toEqual(Object.keys(envSchema.shape).toSorted());
    for (const name of Object.keys(examples)) expect(text).toMatch(new RegExp(`^# .+\\n# ${name}=`, 'm'));
  });

  test('sets nothing when copied as it is', () => {
    expect(parseEnv(text)).toEqual({});
  });

  test('shows the true defaults', () => {
    const defaults = Object.entries(loadEnv({})).filter(([, value]) => !Array.isArray(value));
    expect(defaults.map(([name]) => name)).toContain('PORT');
    const shown = Object.fromEntries(defaults.map(([name]) => [name, examples[name]]));
    expect(loadEnv(shown)).toEqual(loadEnv({}));
  });

  test('holds valid examples, whose placeholders production refuses', () => {
    const own = { ...examples, PORTAL_SECRET: 'x'.repeat(32) };
    expect(loadEnv(own)).toMatchObject({ JWT_AUDIENCE: 'portal', PORTAL_PRODUCTS: ['crm', 'billing'] });
    const production = { ...examples, NODE_ENV: 'production' };
    expect(() => loadEnv(production)).toThrow('DATABASE_URL: still a placeholder');
  });
});

describe('docs/errors.md', () => {
  const [codes = '', details = ''] = read('docs/errors.md').split('## Codes in `details`');

  test('lists exactly the codes, with their status', () => {
    const rows = [...codes.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    expect(rows).toEqual(Object.entries(ERRORS).map(([code, { status }]) => [code, status]));
  });

  test('lists exactly the codes of single faults', () => {
    const documented = matches(details, /^\| (`.*?`) +\|/gm).flatMap((cell) => matches(cell, /`(\w+)`/g));
    expect(documented).toEqual(FAULT_CODES);
  });
});

describe.each(DOCUMENTS)('%s', (path) => {
  const text = read(path);

  test('links to what is there', () => {
    const links = matches(text, /\]\(([^)\s]+)\)/g).filter((link) => !/^https?:/.test(link));
    expect(links.filter((link) => !leadsSomewhere(path, link))).toEqual([]);
  });

  test('names commands that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [/npm run (?:--silent )?([\w:]+)/g, /npm (start|test)\b/g].flatMap((form) =>
      matches(text, form),
    );
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
    const { projects } = JSON.parse(read('nest-cli.json')) as { projects: object };
    expect(Object.keys(projects)).toEqual(expect.arrayContaining(matches(text, /nest start (\w+)/g)));
  });

  test('holds JSON that parses', () => {
    for (const block of matches(text, /^```json\n([\s\S]*?)^```/gm)) JSON.parse(block);
  });
});

describe('README.md', () => {
  const pairs = [...read('README.md').matchAll(/^```sh\n(curl[\s\S]*?)```\s+```json\n([\s\S]*?)```/gm)];

  /** What succeeds with another status than 200. */
  const SUCCESS: Record<string, number> = { 'post /api/contacts': 201, 'post /auth/magic-link': 202 };

  test('shows an answer for each request', () => {
    expect(pairs.length).toBeGreaterThanOrEqual(6);
  });

  test.each(pairs.map(([, curl = '', answer = '']) => [curl.trim().replaceAll(/\s*\\\n\s*/g, ' '), answer]))(
    'shows an answer of the shape that is documented: %s',
    async (curl, answer) => {
      const method = /-X (\w+)/.exec(curl)?.[1]?.toLowerCase() ?? 'get';
      const path = /http:\/\/127\.0\.0\.1:3000([^\s']*)/.exec(curl)?.[1] ?? '';
      const body = JSON.parse(answer) as { ok: boolean };
      const success = SUCCESS[`${method} ${path}`] ?? 200;
      await expectDocumented(method, path, { status: body.ok ? success : 400, body } as Response);
    },
  );
});

/** Whether a relative link of `document` names a file, and a heading in it if it has an anchor. */
function leadsSomewhere(document: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? document : join(dirname(document), file);
  return existsSync(join(ROOT, target)) && (anchor === undefined || headings(read(target)).includes(anchor));
}

/** The anchors of a document's headings, as GitHub makes them. */
function headings(text: string): string[] {
  return matches(text, /^#+ (.+)$/gm).map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}
