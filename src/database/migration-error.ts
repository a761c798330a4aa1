// A migration that failed, told so that its statement and PostgreSQL's own words are both seen.
import type { MigrationFile } from './migration-files.js';
import { sqlOf } from './migration.js';

interface Failure {
  file: MigrationFile;
  direction: 'up' | 'down';
  /** Position of the failed statement in its list, from 0. */
  index: number;
  cause: unknown;
}

export class MigrationError extends Error {
  readonly migration: string;
  readonly statement: string;

  constructor({ file, direction, index, cause }: Failure) {
    const statements = file.migration[direction];
    const statement = sqlOf(statements[index] ?? '');
    const left = file.migration.withoutTransaction
      ? 'failed outside a transaction: the statements before it stay, and the next run goes on from here'
      : 'failed and was rolled back';
    super(
      `${file.name} (${direction}) ${left}.\n\n` +
        `Statement ${index + 1} of ${statements.length}:\n${statement}\n\nPostgreSQL: ${postgresText(cause)}`,
      { cause },
    );
    this.name = 'MigrationError';
    this.migration = file.name;
    this.statement = statement;
  }
}

function postgresText(cause: unknown): string {
  const { message, detail, hint, code } = cause as Error & { detail?: string; hint?: string; code?: string };
  const lines = [code ? `${message} (${code})` : message];
  if (detail) lines.push(`Detail: ${detail}`);
  if (hint) lines.push(`Hint: ${hint}`);
  return lines.join('\n');
}
