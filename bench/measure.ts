// The measurements: every server does every operation in turns, so that what disturbs one disturbs all.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { aloneKey } from './agreement.ts';
import { databaseCpu, findPostmaster, processCpu } from './cpu.ts';
import { measure } from './load.ts';
import { INSERTED_DOMAIN, type Operation, type OperationKey, type Request, isWrite } from './operations.ts';
import type { Progress } from './progress.ts';
import type { Server, ServerName } from './servers.ts';

export interface Sample {
  operation: OperationKey;
  server: ServerName;
  requestsPerSecond: number;
  p50: number;
  p99: number;
  /** Milliseconds of processor time per request; null where the platform does not tell. */
  serverCpu: number | null;
  databaseCpu: number | null;
}

interface Plan {
  operations: readonly { operation: Operation; requests: readonly Request[] }[];
  servers: readonly Server[];
  rounds: number;
  seconds: number;
  /** Seconds. */
  warmUp: number;
  /** Milliseconds of one answer on its own, from the check of agreement. */
  alone: ReadonlyMap<string, number>;
}

/** A server that takes this long on its own learns nothing from a warm-up. */
const SLOW_MS = 500;
/**
 * Pools answer ten at a time on few processors: in so many times an answer alone each comes round four times, and what is not
 * done at the end, which counts as nothing, is little beside what is.
 */
const ANSWERS_ALONE = 32;
const LONGEST_SECONDS = 180;
const QUIET_WITHIN_MS = 120_000;

export async function measureAll(client: pg.Client, plan: Plan, progress: Progress): Promise<Sample[]> {
  const postmaster = await findPostmaster(client);
  const samples: Sample[] = [];
  const { operations, servers, rounds } = plan;
  const of = rounds * operations.length * servers.length;
  progress.begin('measuring');
  for (let round = 0; round < rounds; round += 1) {
    for (const { operation, requests } of operations) {
      // Nobody always comes first.
      for (const server of rotated(servers, round)) {
        const alone = plan.alone.get(aloneKey(operation, server.name)) ?? 0;
        const enough = Math.ceil((alone * ANSWERS_ALONE) / 1000);
        const seconds = Math.min(LONGEST_SECONDS, Math.max(plan.seconds, enough));
        // Each time: while others had their turns, its memory and its pages went cold.
        const warmUp = alone < SLOW_MS ? plan.warmUp : 0;
        samples.push(
          await measureOne({ client, postmaster }, { server, operation, requests, seconds, warmUp }),
        );
        progress.step(samples.length, of, `round ${round + 1}, ${operation.key}, ${server.name}`);
      }
    }
    if (operations.some(({ operation }) => isWrite(operation))) await tidyUp(client);
  }
  progress.done();
  return samples;
}

interface Database {
  client: pg.Client;
  /** Process that all others of the server come from. */
  postmaster: number | null;
}

interface Turn {
  server: Server;
  operation: Operation;
  requests: readonly Request[];
  seconds: number;
  /** Seconds of load before. */
  warmUp: number;
}

/** One server at one operation, between two moments in which the database has nothing else to do. */
export async function measureOne(
  { client, postmaster }: Database,
  { server, operation, requests: asked, seconds, warmUp }: Turn,
): Promise<Sample> {
  const load = { server, requests: asked, connections: operation.connections };
  if (warmUp > 0) await measure({ ...load, seconds: warmUp, unique: unique() });
  await quiet(client);
  const before = { server: processCpu(server.pid), database: databaseCpu(postmaster) };
  const measured = await measure({ ...load, seconds, unique: unique() });
  // What was asked for is finished, though nobody waits for it any more: it costs what it costs.
  await quiet(client);
  const { requests, requestsPerSecond, p50, p99 } = measured;
  // Each connection had one more under way at the end.
  const served = requests + operation.connections;
  return {
    operation: operation.key,
    server: server.name,
    requestsPerSecond,
    p50,
    p99,
    serverCpu: perRequest(before.server, processCpu(server.pid), served),
    databaseCpu: perRequest(before.database, databaseCpu(postmaster), served),
  };
}

/** Deletes what was inserted, so that the next round and the next run find the same data. */
export async function tidyUp(client: pg.Client): Promise<void> {
  await client.query(`DELETE FROM contact WHERE email LIKE '%@${INSERTED_DOMAIN}'`);
  await client.query('VACUUM contact, contact_search');
}

/** Waits until the database has nothing to do for a moment: whoever gave up waiting still kept it busy. */
export async function quiet(client: pg.Client): Promise<void> {
  const deadline = Date.now() + QUIET_WITHIN_MS;
  for (let idle = 0; idle < 3 && Date.now() < deadline; await sleep(30)) {
    const { rows } = await client.query<{ busy: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND state <> 'idle'
           AND pid <> pg_backend_pid()) AS busy`,
    );
    idle = rows[0]?.busy ? 0 : idle + 1;
  }
}

function perRequest(before: number | null, after: number | null, requests: number): number | null {
  return before === null || after === null ? null : (after - before) / requests;
}

export function rotated<T>(all: readonly T[], by: number): T[] {
  const turn = by % all.length;
  return [...all.slice(turn), ...all.slice(0, turn)];
}

const unique = (): string => `b${randomBytes(4).toString('hex')}n`;
