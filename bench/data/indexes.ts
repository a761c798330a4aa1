// Indexes out of the way while rows are inserted by the million, and built again afterwards, several at once.
import { availableParallelism } from 'node:os';
import pg from 'pg';
import { connect } from '../connection.ts';
import type { Progress } from '../progress.ts';

interface Index {
  readonly name: string;
  readonly definition: string;
}

/**
 * What a hand-written search over name and address has to have: without it, it would read the whole table. Their pending
 * lists are as long as those of the service's own indexes, and it sorts them in likewise, whoever is being measured.
 */
export const BENCH_INDEXES: readonly Index[] = ['full_name', 'email'].map((column) => ({
  name: `bench_${column}_ix`,
  definition: `CREATE INDEX bench_${column}_ix ON contact USING gin (${column} gin_trgm_ops) WITH (gin_pending_list_limit = 4096)`,
}));

/** Drops the indexes of these tables but for those of constraints, and answers how to make them again. */
export async function dropIndexes(client: pg.Client, tables: readonly string[]): Promise<Index[]> {
  const { rows } = await client.query<Index>(
    `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
       AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
     ORDER BY 1`,
    [tables],
  );
  for (const { name } of rows) await client.query(`DROP INDEX ${pg.escapeIdentifier(name)}`);
  return rows;
}

/** Builds them in as many connections as there are processors, at most four, each index by one of them. */
export async function createIndexes(
  url: string,
  indexes: readonly Index[],
  progress: Progress,
): Promise<void> {
  const waiting = [...indexes];
  let built = 0;
  const work = async (): Promise<void> => {
    const client = await connect(url);
    try {
      await client.query(`SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 0`);
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        await client.query(next.definition);
        built += 1;
        progress.step(built, indexes.length, next.name);
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
}
