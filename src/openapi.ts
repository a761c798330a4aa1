// Writes the API reference to openapi.json; with --check only says whether the committed one is up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { createApp } from './app.setup.js';
import { loadEnv } from './config/env.js';
import { openApiDocument } from './openapi-document.js';

const FILE = new URL('../openapi.json', import.meta.url);

const app = await createApp(loadEnv({ NODE_ENV: 'test' }), { preview: true });
const text = `${JSON.stringify(openApiDocument(app), null, 2)}\n`;
if (!process.argv.includes('--check')) {
  await writeFile(FILE, text);
} else if ((await readFile(FILE, 'utf8').catch(() => '')) !== text) {
  process.stderr.write('openapi.json is not what the code says: run `npm run openapi` and commit it.\n');
  process.exitCode = 1;
}
