// The file .env: what is misspelt there is said, instead of doing nothing without a word.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadDotEnv } from '../src/config/dot-env.js';

const NAMES = ['PORT', 'LOG_LEVEL', 'PORTAL_SECRET', 'PORTAL_ORIGINS', 'DATABASE_URL'];

let folder: string;
let before: string;
beforeEach(async () => {
  before = process.cwd();
  folder = await mkdtemp(join(tmpdir(), 'contacts-env-'));
  process.chdir(folder);
});
afterEach(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true });
});

test('names that are nearly those of settings are told, with what may be meant', async () => {
  await writeFile('.env', 'LOGLEVEL=debug\nPORTAL_ORIGIN=x\nDATABASE_UR=y\nPORTAL_SECRT_FILE=z\n');
  expect(loadDotEnv(NAMES)).toEqual([
    'DATABASE_UR: there is no such setting; did you mean DATABASE_URL?',
    'LOGLEVEL: there is no such setting; did you mean LOG_LEVEL?',
    'PORTAL_ORIGIN: there is no such setting; did you mean PORTAL_ORIGINS?',
    'PORTAL_SECRT_FILE: there is no such setting; did you mean PORTAL_SECRET_FILE?',
  ]);
});

test('settings count unless they are set already, and what is somebody else’s is left alone', async () => {
  await writeFile('.env', 'LOG_LEVEL=debug\nPORT=4000\nPOSTGRES_PASSWORD=x\n');
  const module = new URL('../src/config/dot-env.ts', import.meta.url).href;
  // In a process of its own: here the environment is a copy.
  const program = `import { loadDotEnv } from '${module}';
    console.log(JSON.stringify([loadDotEnv(${JSON.stringify(NAMES)}), process.env.LOG_LEVEL, process.env.PORT]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, PORT: '3000' },
  });
  expect(JSON.parse(stdout)).toEqual([[], 'debug', '3000']);
});

test('no file is no fault', () => {
  expect(loadDotEnv(NAMES)).toEqual([]);
});
