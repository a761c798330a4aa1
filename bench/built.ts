// The project's own modules and programs, as `npm run build` leaves them in dist/.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
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
  let output = '';
  const tell = (line: string): void => void (output += `${line}\n`);
  await startBuilt(program, args, { env, tell }).ended;
  return output;
}

export interface Running {
  /** Ends it at once. */
  kill: () => void;
  /** Rejects with what it wrote when it fails, or is ended by anybody else. */
  ended: Promise<void>;
}

/** Starts `dist/<program>.js`; `tell` gets each line it prints as soon as it does. */
export function startBuilt(
  program: string,
  args: string[],
  { env, tell }: { env: NodeJS.ProcessEnv; tell: (line: string) => void },
): Running {
  requireBuild();
  const child = spawn(process.execPath, ['--no-warnings', `dist/${program}.js`, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', tell);
  let killed = false;
  const kill = (): void => {
    killed = child.kill('SIGKILL');
  };
  return { kill, ended: end() };

  async function end(): Promise<void> {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0 && !killed) throw new Error(`${program} ${args.join(' ')} failed:\n${errors || output}`);
  }
}

function requireBuild(): void {
  if (!existsSync(`${ROOT}dist/main.js`)) {
    throw new Error('There is no build to measure: `npm run bench` makes one, or run `npm run build` first.');
  }
}
