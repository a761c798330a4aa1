// What a command of the command line is made of.
import type { DataSource } from 'typeorm';
import type { Env } from '../config/env.js';

/** Every option of every command, as util.parseArgs takes them. */
export const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  'expires-at': { type: 'string' },
  'allowed-cidrs': { type: 'string' },
  'rate-limit': { type: 'string' },
  'overlap-seconds': { type: 'string' },
  json: { type: 'boolean' },
  rebuild: { type: 'boolean' },
} as const;

type OptionName = keyof typeof OPTIONS;

/** The options that were given. */
export type Values = {
  [Name in OptionName]?: (typeof OPTIONS)[Name]['type'] extends 'boolean' ? boolean : string;
};

export interface Command {
  readonly options: readonly OptionName[];
  /** What the one word after the command is, such as "the id of one key"; without it there is none. */
  readonly takes?: string;
  /** Does its work and answers what goes to stdout. */
  readonly run: (context: Context, values: Values, word: string) => Promise<string | Outcome>;
}

interface Context {
  readonly db: DataSource;
  /** With the DATABASE_URL that `db` has. */
  readonly env: Env;
  /** Takes a line on how far the command is. */
  readonly tell: (line: string) => void;
}

export interface Outcome {
  readonly stdout: string;
  readonly exitCode: 0 | 1;
}

/** Rows of words under each other, or `none` where there are none. */
export function table(rows: readonly (readonly string[])[], none: string): string {
  return rows.length > 0 ? rows.map((row) => `${row.join('  ')}\n`).join('') : `${none}\n`;
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
