// Runs an entry point of src/ as a process of its own, from the sources.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const LOADER = new URL('./typescript.mjs', import.meta.url).href;

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

type Settings = Record<string, string | undefined>;

/** Starts `src/<entry>.ts`; `settings` are environment variables, undefined ones are unset; `stdout` may be a file. */
export function startEntry(
  entry: string,
  args: string[],
  settings: Settings,
  stdout: 'pipe' | number = 'pipe',
): ChildProcess {
  const program = fileURLToPath(new URL(`../../src/${entry}.ts`, import.meta.url));
  const env = { ...process.env, NODE_ENV: 'development', ...settings };
  return spawn(process.execPath, ['--no-warnings', '--import', LOADER, program, ...args], {
    env,
    stdio: ['ignore', stdout, 'pipe'],
  });
}

/** Runs it to its end. */
export async function runEntry(entry: string, args: string[], settings: Settings): Promise<Finished> {
  const child = startEntry(entry, args, settings);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** Resolves with everything printed once `pattern` has appeared on stdout. */
export async function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (pattern.test(text)) resolve(text);
    });
    child.once('close', (code) =>
      reject(new Error(`ended with ${code} before ${pattern}:\n${text}\n${errors}`)),
    );
  });
}
