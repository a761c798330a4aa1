// Every code of the error table is named by some test, so that none is only promised.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { ERRORS } from '../src/common/errors.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !/^(errors|docs)\.test\.ts$/.test(name))
  .map((name) => readFileSync(folder + name, 'utf8'))
  .join('\n');

test('every code is named by a test', () => {
  const codes = Object.keys(ERRORS);
  expect(codes.filter((code) => !tests.includes(`'${code}'`) && !tests.includes(`"${code}"`))).toEqual([]);
});

test('codes are snake_case, statuses are errors, and messages are sentences', () => {
  for (const [code, { status, message }] of Object.entries(ERRORS)) {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(message).toMatch(/^[A-Z].*\.$/);
  }
});
