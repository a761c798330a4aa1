// Where results go: to people on standard output, and to the files and programs that asked for them.
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Options, UsageError } from './options.ts';

/** Results as JSON for `--json`, which stands in the place of the text where it is `-`. */
export function tellResults({ json }: Pick<Options, 'json'>, results: object, text: () => string): void {
  const machine = `${JSON.stringify(results, null, 2)}\n`;
  process.stdout.write(json === '-' ? machine : `\n${text()}\n`);
  if (json !== undefined && json !== '-') writeFileSync(json, machine);
}

/** Known before an hour is measured. @throws UsageError for a file that cannot be written. */
export function requireWritable({ json, chart }: Pick<Options, 'json' | 'chart'>): void {
  for (const [option, path] of Object.entries({ json, chart })) {
    if (path === undefined || path === '-') continue;
    try {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder');
      accessSync(statSync(path, { throwIfNoEntry: false }) ? path : dirname(path), constants.W_OK);
    } catch (error) {
      throw new UsageError(`--${option}: ${path} cannot be written: ${(error as Error).message}.`);
    }
  }
}
