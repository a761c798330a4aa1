// The project's own modules and programs, as `npm run build` leaves them in dist/.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export const loadMigrator = () => load<typeof import('../src/database/migrator.ts')>('database/migrator.js');
export const loadEmbeddedDatabase = () =>
  load<typeof import('../src/local/embedded-database.ts')>('local/embedded-database.js');

/** Imported by an address that the compiler does not follow: it knows the sources, and dist/ may not be there. */
async function load<Module>(path: string): Promise<Module> {
  requireBuild();
  return (await import(new URL(`../dist/${path}`, import.meta.url).href)) as Module;
}

/** Runs `dist/<program>.js` and answers what it prints. */
export async function runBuilt(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  requireBuild();
  const child = spawn(process.execPath, ['--no-warnings', `dist/${program}.js`, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${errors || output}`);
  return output;
}

function requireBuild(): void {
  if (!existsSync(`${ROOT}dist/main.js`)) {
    throw new Error('There is no build to measure: `npm run bench` makes one, or run `npm run build` first.');
  }
}
