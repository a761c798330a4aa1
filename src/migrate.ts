// Migrations from the command line: `npx nest start migrate -- up`, or `node dist/migrate.js up` in the image.
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { directUrlOf, isPooled, loadEnv } from './config/env.js';
import { dataSourceOptions } from './data-source.js';
import { awaitDatabase } from './database/await-database.js';
import { type Drift, findDrift } from './database/drift.js';
import { isMigrationName, writeMigration } from './database/generate.js';
import { isUpToDate, statusText } from './database/migration-status.js';
import { Migrator } from './database/migrator.js';
import { grantServiceRole } from './database/service-role.js';
import { installQueues } from './mail/install-queues.js';
import { openDatabase } from './local/local-database.js';

const USAGE = `Usage: npx nest start migrate -- <command>     (in the image: node dist/migrate.js <command>)

  up [--to <name>] [--dry-run]      apply pending migrations; --dry-run prints their SQL instead
  down [--steps <n>] [--dry-run]    undo the last applied migration, or the last n
  status [--json]                   show what is applied and what is not
  grant <role> [--dry-run]          let the service run as a role that owns nothing: gives it what the service needs,
                                    takes all else; again after each up; --dry-run prints the SQL
  generate <verb-noun>              write a migration with what the entities ask for
  generate --check                  print how entities and schema differ, and write nothing

Exit codes
  0  done; status: up to date; generate --check: no difference
  1  failed; status: something is pending, unknown to this release or changed; generate --check: a difference
  2  not understood

The database is DATABASE_URL (DATABASE_DIRECT_URL first), or the embedded one when neither is set.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  'dry-run': { type: 'boolean' },
  to: { type: 'string' },
  steps: { type: 'string' },
  json: { type: 'boolean' },
  check: { type: 'boolean' },
} as const;

const ALLOWED: Record<string, readonly string[]> = {
  up: ['dry-run', 'to'],
  down: ['dry-run', 'steps'],
  status: ['json'],
  grant: ['dry-run'],
  generate: ['check'],
};

class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  try {
    const { command, name, values } = readArguments(args);
    if (command === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    const env = loadEnv();
    const database = await openDatabase({ DATABASE_URL: directUrlOf(env) });
    try {
      const { url } = database;
      const setting = isPooled(env) ? 'DATABASE_DIRECT_URL' : 'DATABASE_URL';
      await awaitDatabase(url, { timeout: env.DATABASE_START_TIMEOUT_MS, tell, setting });
      const migrator = new Migrator({ url });
      switch (command) {
        case 'up':
          await migrator.up({ dryRun: values['dry-run'], to: values.to });
          if (!values['dry-run']) await installQueues(url);
          return 0;
        case 'down':
          await migrator.down({ dryRun: values['dry-run'], steps: Number(values.steps ?? 1) });
          return 0;
        case 'status':
          return await status(migrator, values.json === true);
        case 'grant':
          await requireCurrent(migrator);
          await grantServiceRole({ url, role: name ?? '', dryRun: values['dry-run'] });
          return 0;
        default: {
          await requireCurrent(migrator);
          const drift = await findDrift(dataSourceOptions({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }));
          return name === undefined ? report(drift) : await generate(name, drift);
        }
      }
    } finally {
      await database.close();
    }
  } catch (error) {
    const usage = error instanceof UsageError;
    process.stderr.write(`${explain(error)}\n${usage ? `\n${USAGE}` : ''}`);
    return usage ? 2 : 1;
  }
}

function readArguments(args: string[]) {
  const { values, positionals } = parse(args);
  if (values.help) return { values };
  const [command, name, ...rest] = positionals;
  const allowed = command !== undefined && Object.hasOwn(ALLOWED, command) ? ALLOWED[command] : undefined;
  if (!allowed)
    throw new UsageError(command === undefined ? 'No command given.' : `Unknown command: ${command}`);

  const strange = Object.keys(values).find((option) => !allowed.includes(option));
  if (strange) throw new UsageError(`${command} takes no --${strange}.`);
  if (values.steps !== undefined && !/^[1-9]\d{0,5}$/.test(values.steps)) {
    throw new UsageError('--steps takes a whole number from 1.');
  }
  const generates = command === 'generate' && !values.check;
  if (generates && (name === undefined || !isMigrationName(name))) {
    throw new UsageError('generate takes a name of the form <verb>-<noun>, such as add-company-city.');
  }
  if (command === 'grant' && !name) throw new UsageError('grant takes the name of a role.');
  const named = generates || command === 'grant';
  const [excess] = named ? rest : [name, ...rest];
  if (excess !== undefined) throw new UsageError(`Unexpected argument: ${excess}`);
  return { command, name, values };
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function status(migrator: Migrator, json: boolean): Promise<number> {
  const found = await migrator.status();
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : statusText(found)}\n`);
  return isUpToDate(found) ? 0 : 1;
}

/** Against a schema that is not current, every pending change would be found a second time. */
async function requireCurrent(migrator: Migrator): Promise<void> {
  const found = await migrator.status();
  if (found.state !== 'current') throw new Error(`${statusText(found)}\nThat comes first.`);
}

function report({ up }: Drift): number {
  process.stdout.write(
    up.length === 0
      ? 'Entities and schema agree.\n'
      : `The entities differ from the schema. TypeORM would run:\n${up.map((sql) => `  ${sql};\n`).join('')}`,
  );
  return up.length === 0 ? 0 : 1;
}

async function generate(name: string, drift: Drift): Promise<number> {
  const path = relative(process.cwd(), await writeMigration(name, drift));
  process.stdout.write(
    drift.up.length === 0
      ? `Wrote ${path}: entities and schema agree, so its statements are yours to write.\n`
      : `Wrote ${path}. Read it before you run it: TypeORM changes a column's type by dropping the column.\n`,
  );
  return 0;
}

/** Not where the SQL of a dry run and the JSON of a status go. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function explain(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(explain).join('\n');
  return error instanceof Error ? error.message : String(error);
}
