// Administration from the command line: `npm run cli -- keys create …`, or `node dist/cli.js keys create …`.
import { parseArgs } from 'node:util';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SCOPES } from './auth/caller.js';
import { type Command, OPTIONS, type Outcome, type Values } from './cli/command.js';
import { keys } from './cli/keys.js';
import { signingKeys } from './cli/signing-keys.js';
import { sweep } from './cli/sweep.js';
import { verify } from './cli/verify.js';
import { NoConnection } from './common/database-errors.js';
import { ApiError, type Fault } from './common/errors.js';
import { loadEnv } from './config/env.js';
import { dataSourceOptions } from './data-source.js';
import { requireSchema } from './database/require-schema.js';
import { openDatabase } from './local/local-database.js';

const USAGE = `Usage: npm run --silent cli -- <command>     (in the image: node dist/cli.js <command>)

  keys create --name <text> --scopes <a,b>   make a key; prints its text, and nothing else, on stdout
              (npm itself adds two lines there unless run with --silent)
              [--expires-at <timestamp>] [--allowed-cidrs <a,b>] [--rate-limit <n>]
  keys list [--json]                         every key, newest first
  keys rotate <id> [--overlap-seconds <n>]   give a key a new secret; prints the new text on stdout
  keys limit <id> [--rate-limit <n>]         requests a minute, 0 for any number; the default without the option
  keys revoke <id>                           end a key for good

  signing-keys rotate                        the waiting key begins to sign portal tokens, and a new one waits;
                                             nobody is signed out; prints the id of the key that signs now
                                             (also: keys:signing rotate)
  signing-keys list [--json]                 every key that signs or has signed portal tokens, newest first

  verify [--json]                            compares totals and search documents with the contacts while the
                                             service runs; exit code 1 when something differs
  verify --rebuild [--json]                  counts anew, mends search documents, and verifies again

  sweep [--json]                             removes sessions, links and audit entries that have been kept as long as
                                             the settings say, as the service does every hour; tells how many

Scopes: ${SCOPES.join(', ')}

Exit codes: 0 done, 1 failed (verify: or something differs), 2 not understood.
The database is DATABASE_URL, or the embedded one when it is not set; signing-keys needs the service's PORTAL_SECRET.
`;

const TOPICS: Record<string, Record<string, Command>> = {
  keys,
  'signing-keys': signingKeys,
  'keys:signing': signingKeys,
  // One word each, no verb.
  verify: { '': verify },
  sweep: { '': sweep },
};

class UsageError extends Error {
  constructor(message: string) {
    super(`${message}\n\n${USAGE}`);
  }
}

// Standard output is for what was asked for, and what failed is said once, at the end.
Logger.overrideLogger(false);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help || positionals.length === 0) {
      process.stdout.write(USAGE);
      return 0;
    }
    const command = understood(positionals, values);
    const { stdout, exitCode } = await run(command, values, positionals[2] ?? '');
    process.stdout.write(stdout);
    return exitCode;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function parse(args: string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The command the line names, or a UsageError that says what is wrong with the line. */
function understood([topic = '', verb = '', ...rest]: string[], values: Values): Command {
  const verbs = Object.hasOwn(TOPICS, topic) ? TOPICS[topic] : undefined;
  const command = verbs && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const name = `${topic} ${verb}`.trim();
  if (!command) throw new UsageError(`There is no command "${name}".`);
  if (rest.length !== (command.takes ? 1 : 0)) {
    throw new UsageError(`${name} takes ${command.takes ?? 'no further words'}.`);
  }
  const known: readonly string[] = command.options;
  const foreign = Object.keys(values).find((option) => !known.includes(option));
  if (foreign) throw new UsageError(`${name} has no option --${foreign}.`);
  return command;
}

async function run(command: Command, values: Values, word: string): Promise<Outcome> {
  const given = loadEnv();
  const database = await openDatabase(given);
  const env = { ...given, DATABASE_URL: database.url };
  const db = new DataSource(dataSourceOptions(env));
  try {
    const tell = (line: string): boolean => process.stderr.write(`${line}\n`);
    await requireSchema(database.url, { timeout: env.DATABASE_START_TIMEOUT_MS, tell });
    await db.initialize();
    const answer = await command.run({ db, env, tell }, values, word);
    return typeof answer === 'string' ? { stdout: answer, exitCode: 0 } : answer;
  } finally {
    if (db.isInitialized) await db.destroy();
    await database.close();
  }
}

function explain(error: unknown): string {
  if (error instanceof ApiError && error.details) {
    return (error.details as Fault[])
      .map(({ field, message }) => `--${field.replaceAll('_', '-')}: ${message}`)
      .join('\n');
  }
  const { message } = error as Error;
  return error instanceof NoConnection ? `No connection to the database: ${message}` : message;
}
