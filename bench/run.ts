// `npm run bench`: prepares data, starts the servers, measures, and tells.
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { connect } from './connection.ts';
import { checkAgreement } from './agreement.ts';
import { chart } from './chart.ts';
import { endChildren } from './children.ts';
import { prepareDatabase } from './data/database.ts';
import { openDatabaseServer, shownSettings } from './database-server.ts';
import { measureGrowth } from './growth.ts';
import { LOAD_PROGRAM } from './load.ts';
import { measureAll, tidyUp } from './measure.ts';
import { measureMigration } from './migration.ts';
import { OPERATIONS, requestsOf } from './operations.ts';
import { type Options, USAGE, UsageError, readOptions } from './options.ts';
import { overload } from './overload.ts';
import { comparePhysical } from './physical.ts';
import { Progress, group } from './progress.ts';
import { comparison, readResults, table } from './report.ts';
import { type Results, summarize } from './results.ts';
import { chooseSamples } from './samples.ts';
import { PATIENT, SERVER_NAMES, type Server, createKey, startServer } from './servers.ts';
import { tellSizes } from './sizes.ts';
import { soak } from './soak.ts';
import { requireWritable, tellResults } from './tell.ts';
import { compareWrites } from './writes.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const undo: (() => Promise<void>)[] = [];
  const cleanUp = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  const interrupted = (): void => {
    endChildren();
    void cleanUp().finally(() => process.exit(130));
  };
  try {
    const options = readOptions(args);
    if (options.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    await bench(options, undo);
    return 0;
  } catch (error) {
    process.stderr.write(`\n${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    await cleanUp();
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

async function bench(options: Options, undo: (() => Promise<void>)[]): Promise<void> {
  const earlier = options.compare === undefined ? null : readResults(options.compare);
  requireWritable(options);
  const progress = new Progress();
  const server = await openDatabaseServer();
  undo.push(() => server.stop());
  if (options.mode === 'migration')
    return measureMigration({ serverUrl: server.url, options, undo }, progress);
  if (options.mode === 'growth') return measureGrowth({ serverUrl: server.url, options, undo }, progress);
  const url = await prepareDatabase({ serverUrl: server.url, ...options }, progress);
  const client = await connect(url);
  undo.push(() => client.end());
  await tidyUp(client); // what an interrupted run left
  if (options.mode === 'sizes') return tellSizes(client, options);

  const key = await createKey(url);
  const start = async (name: Server['name'], databaseUrl = url): Promise<Server> => {
    const limits = options.mode === 'overload' ? {} : PATIENT;
    const started = await startServer(name, databaseUrl, key, limits);
    undo.push(() => started.stop());
    return started;
  };
  if (options.mode === 'writes') return compareWrites({ client, url, start, options }, progress);
  if (options.mode === 'soak') return soak({ client, start, options }, progress);
  if (options.mode === 'overload') return overload({ client, start, options }, progress);
  if (options.mode === 'physical') return comparePhysical({ client, url, start, options }, progress);

  const servers = await allOrNone(SERVER_NAMES.map((name) => start(name)));
  const samples = await chooseSamples(client, options.contacts);
  const operations = OPERATIONS.filter((operation) => options.operations.includes(operation.key)).map(
    (operation) => ({ operation, requests: requestsOf(operation, samples) }),
  );
  progress.begin('the servers give the same answers');
  const { requests: agreed, alone } = await checkAgreement(operations, servers);
  progress.done(`${agreed} requests compared`);
  const measured = await measureAll(client, { ...options, operations, servers, alone }, progress);
  if (options.operations.some((operation) => operation === 'g')) await tidyUp(client);

  const { contacts, rounds, seconds } = options;
  const results: Results = {
    version: 1,
    at: new Date().toISOString(),
    contacts,
    rounds,
    seconds,
    load: LOAD_PROGRAM,
    node: process.version,
    processors: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    database: await shownSettings(url),
    agreed,
    operations: summarize(measured),
  };
  tell(results, options, earlier);
}

/** Waits for all, so that whatever has started can be stopped when another has not. */
async function allOrNone<T>(starting: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(starting);
  return Promise.all(starting);
}

function tell(results: Results, options: Options, earlier: Results | null): void {
  const { contacts, rounds, seconds, load, node, processors, database, agreed } = results;
  const settings = Object.entries(database).map(([name, value]) => `${name} ${value}`);
  const text = `${group(contacts)} contacts; ${rounds} rounds of ${seconds} s by ${load} on ${processors}, Node ${node}
PostgreSQL: ${settings.join(', ')}
${agreed} requests were answered alike by all three before measuring. CPU and db: processor time per request.

${table(results)}`;
  tellResults(options, results, () => (earlier ? `${text}\n\n${comparison(results, earlier)}` : text));
  if (options.chart !== undefined) writeFileSync(options.chart, chart(results));
}

function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${USAGE}`;
  if (error instanceof AggregateError) return error.errors.map(explain).join('\n');
  return error instanceof Error ? error.message : String(error);
}
