// Administration from the command line: `npm run cli -- keys create …`, or `node dist/cli.js keys create …`.
import { parseArgs } from 'node:util';
import type { Type } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CreateApiKeyDto, RotateApiKeyDto } from './auth/api-key.dto.js';
import { ApiKeysRepository } from './auth/api-keys.repository.js';
import { ApiKeysService } from './auth/api-keys.service.js';
import { OPERATOR, SCOPES } from './auth/caller.js';
import { ApiError, type Fault } from './common/errors.js';
import { parseInput } from './common/input.pipe.js';
import { loadEnv } from './config/env.js';
import { dataSourceOptions } from './data-source.js';
import { requireSchema } from './database/require-schema.js';
import { openDatabase } from './local/local-database.js';

const USAGE = `Usage: npm run --silent cli -- <command>     (in the image: node dist/cli.js <command>)

  keys create --name <text> --scopes <a,b>   make a key; prints its text, and nothing else, on stdout
              (npm itself adds two lines there unless run with --silent)
              [--expires-at <timestamp>] [--allowed-cidrs <a,b>]
  keys list [--json]                         every key, newest first
  keys rotate <id> [--overlap-seconds <n>]   give a key a new secret; prints the new text on stdout
  keys revoke <id>                           end a key for good

Scopes: ${SCOPES.join(', ')}

Exit codes: 0 done, 1 failed, 2 not understood.
The database is DATABASE_URL, or the embedded one when it is not set.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  'expires-at': { type: 'string' },
  'allowed-cidrs': { type: 'string' },
  'overlap-seconds': { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** Options each command understands, and whether it takes a key's id. */
const COMMANDS: Record<string, { options: string[]; takesId?: true }> = {
  create: { options: ['name', 'scopes', 'expires-at', 'allowed-cidrs'] },
  list: { options: ['json'] },
  rotate: { options: ['overlap-seconds'], takesId: true },
  revoke: { options: [], takesId: true },
};

class UsageError extends Error {}

type Values = ReturnType<typeof parse>['values'];

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help || positionals.length === 0) {
      process.stdout.write(USAGE);
      return 0;
    }
    const command = understood(positionals, values);
    process.stdout.write(await withKeys((keys) => run(keys, command, positionals[2] ?? '', values)));
    return 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`);
  }
}

/** The name of the command, or a UsageError that says what is wrong with the line. */
function understood([topic, command = '', ...rest]: string[], values: Values): string {
  const known = topic === 'keys' ? COMMANDS[command] : undefined;
  if (!known) throw new UsageError(`There is no command "${[topic, command].join(' ').trim()}".\n\n${USAGE}`);
  if (rest.length !== (known.takesId ? 1 : 0)) {
    throw new UsageError(`keys ${command} takes ${known.takesId ? 'the id of one key' : 'no further words'}.\n\n${USAGE}`);
  }
  const foreign = Object.keys(values).find((option) => !known.options.includes(option));
  if (foreign) throw new UsageError(`keys ${command} has no option --${foreign}.\n\n${USAGE}`);
  return command;
}

async function run(keys: ApiKeysService, command: string, id: string, values: Values): Promise<string> {
  switch (command) {
    case 'create':
      return `${(await keys.create(OPERATOR, readCreate(values))).key}\n`;
    case 'rotate':
      return `${(await keys.rotate(OPERATOR, id, readRotate(values))).key}\n`;
    case 'revoke':
      return `Revoked ${(await keys.revoke(id)).id}.\n`;
    default:
      return list(keys, values.json === true);
  }
}

function readCreate(values: Values): CreateApiKeyDto {
  return read(CreateApiKeyDto, {
    name: values.name,
    scopes: values.scopes?.split(','),
    expires_at: values['expires-at'],
    allowed_cidrs: values['allowed-cidrs']?.split(','),
  });
}

function readRotate(values: Values): RotateApiKeyDto {
  const seconds = values['overlap-seconds'];
  return read(RotateApiKeyDto, { overlap_seconds: seconds === undefined ? undefined : Number(seconds) });
}

/** The same rules as over HTTP. */
function read<T extends object>(Dto: Type<T>, input: object): T {
  return parseInput(Dto, input, 'body');
}

async function list(keys: ApiKeysService, json: boolean): Promise<string> {
  const all = await keys.list();
  if (json) return `${JSON.stringify(all, null, 2)}\n`;
  const rows = all.map((key) => {
    const state = key.revoked_at ? 'revoked' : isPast(key.expires_at) ? 'expired' : 'live';
    return [key.id, state, key.last_used_at ?? 'never used', key.scopes.join(','), key.name].join('  ');
  });
  return rows.length > 0 ? `${rows.join('\n')}\n` : 'There are no keys.\n';
}

function isPast(moment: string | null): boolean {
  return moment !== null && Date.parse(moment) <= Date.now();
}

async function withKeys(work: (keys: ApiKeysService) => Promise<string>): Promise<string> {
  const env = loadEnv();
  const database = await openDatabase(env);
  const db = new DataSource(dataSourceOptions({ ...env, DATABASE_URL: database.url }));
  try {
    await requireSchema(database.url);
    await db.initialize();
    return await work(new ApiKeysService(new ApiKeysRepository(db)));
  } finally {
    if (db.isInitialized) await db.destroy();
    await database.close();
  }
}

function explain(error: unknown): string {
  if (error instanceof ApiError && error.details) {
    return (error.details as Fault[]).map(({ field, message }) => `--${field.replaceAll('_', '-')}: ${message}`).join('\n');
  }
  return (error as Error).message;
}
