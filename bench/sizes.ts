// What contacts and all that is derived from them take on disk: tables and indexes, per million contacts.
import type pg from 'pg';
import type { Options } from './options.ts';
import { aligned, number } from './report.ts';
import { tellResults } from './tell.ts';

interface Size {
  table: string;
  /** Null for the table itself, with what is kept out of line. */
  index: string | null;
  bytes: number;
}

const MEGABYTE = 1_000_000;
/** Indexes that only the baselines' searches need. */
const OF_BASELINES = /^bench_/;

export async function tellSizes(client: pg.Client, options: Options): Promise<void> {
  const { contacts } = options;
  const { rows } = await client.query<Size>(
    `WITH counted AS (
       SELECT oid, relname FROM pg_class
       WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND (relname = 'company' OR relname ~ '^contact')
     )
     SELECT relname AS "table", NULL AS "index", pg_table_size(oid)::float8 AS bytes FROM counted
     UNION ALL
     SELECT counted.relname, index.relname, pg_relation_size(index.oid)::float8
     FROM counted JOIN pg_index ON indrelid = counted.oid JOIN pg_class index ON index.oid = indexrelid
     ORDER BY "table", "index" NULLS FIRST`,
  );
  const sizes = rows.filter(({ index }) => !OF_BASELINES.test(index ?? ''));
  const perMillion = (bytes: number): string => number((bytes / contacts) * (1_000_000 / MEGABYTE));
  const all = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  tellResults(options, { contacts, sizes }, () =>
    aligned([
      ['table', 'index', 'MB per million contacts'],
      ...sizes.map(({ table, index, bytes }) => [table, index ?? '', perMillion(bytes)]),
      ['all', '', perMillion(all)],
    ]),
  );
}
