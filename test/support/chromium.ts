// A real browser, where the machine has one, and the demo portal on origins of its own.
import { mkdir, readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type Page, chromium } from 'playwright-core';
import { findProgram } from './find-program.js';

/** Where this machine's Chromium is; undefined if it has none. */
export function findChromium(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome');
}

/** Nothing but the page itself uses the network, and none of it leaves the machine. */
export function launchChromium(executablePath: string): Promise<Browser> {
  const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  const args = [...quiet, '--disable-component-update', '--disable-sync'];
  // As root, Chromium cannot make its sandbox.
  return chromium.launch({
    executablePath,
    args: process.getuid?.() === 0 ? [...args, '--no-sandbox'] : args,
  });
}

/** Keeps a picture of the page, if SCREENSHOTS names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

const TYPES: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };

/** Serves examples/portal on a port of its own, set up to call the API at `apiBase`. */
export async function servePortal(apiBase: string): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const name = /^\/([\w-]+\.\w+)$/.exec(request.url ?? '')?.[1] ?? 'index.html';
    void readPortalFile(name, apiBase).then((text) => {
      const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'text/plain';
      return response
        .writeHead(text === null ? 404 : 200, { 'content-type': `${type}; charset=utf-8` })
        .end(text);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, stop };
}

async function readPortalFile(name: string, apiBase: string): Promise<string | null> {
  const file = new URL(`../../examples/portal/${name}`, import.meta.url);
  const text = await readFile(file, 'utf8').catch(() => null);
  return text?.replace('name="api-base" content=""', `name="api-base" content="${apiBase}"`) ?? null;
}
