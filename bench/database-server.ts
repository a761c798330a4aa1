// The PostgreSQL that is measured on: DATABASE_URL, or an embedded one of the bench's own.
import { mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, loadEmbeddedDatabase } from './built.ts';
import { APPLICATION_NAME, connect } from './connection.ts';
import { PGOPTIONS } from './servers.ts';

export interface DatabaseServer {
  /** A role that may create databases. */
  url: string;
  /** Leaves a server alone that somebody else started. */
  stop: () => Promise<void>;
}

const MB = 1024 * 1024;
/** So long may a statement go on whose server has ended. */
const ABANDONED_MS = 10_000;

export async function openDatabaseServer(): Promise<DatabaseServer> {
  const given = process.env.DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const directory = join(ROOT, '.bench', 'postgres');
  await mkdir(join(ROOT, '.bench'), { recursive: true });
  const { startEmbeddedDatabase } = await loadEmbeddedDatabase();
  const { url, stop } = await startEmbeddedDatabase({ directory, settings: settings() });
  return { url, stop: async () => void ((await isInUse(url)) || (await stop())) };
}

/** Whether another run works on the server, which it found running. */
async function isInUse(url: string): Promise<boolean> {
  const client = await connect(url);
  try {
    for (const end = Date.now() + ABANDONED_MS; Date.now() < end; await sleep(100))
      if (!(await hasOthers(client))) return false;
    return true;
  } finally {
    await client.end();
  }
}

/** Whether there are connections of anybody else. */
async function hasOthers(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> $1`,
    [APPLICATION_NAME],
  );
  return rows.length > 0;
}

/** What one would set on a machine of this size; nothing that risks a committed write. */
function settings(): Record<string, string> {
  const memory = totalmem() / MB;
  return {
    shared_buffers: `${Math.floor(Math.min(4096, memory / 4))}MB`,
    effective_cache_size: `${Math.floor(memory * 0.6)}MB`,
    // After a checkpoint each page is logged whole once, with the seventeen indexes of a contact for some seconds a hundred
    // thousand bytes a write: whoever is measured just then would look slow.
    checkpoint_timeout: '30min',
    max_wal_size: '8GB',
    random_page_cost: '1.1',
    max_connections: '200',
  };
}

const SHOWN =
  `server_version shared_buffers effective_cache_size work_mem max_wal_size checkpoint_timeout random_page_cost fsync
synchronous_commit full_page_writes jit max_connections max_parallel_workers_per_gather`.split(/\s+/);

/** The settings that make a difference to what is measured, as the servers have them. */
export async function shownSettings(url: string): Promise<Record<string, string>> {
  const client = await connect(url, PGOPTIONS);
  try {
    const { rows } = await client.query<{ name: string; value: string }>(
      'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
      [SHOWN],
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  } finally {
    await client.end();
  }
}
