// Single statements on a database of the bench's, in a connection of their own.
import type pg from 'pg';
import { connect } from '../connection.ts';

export async function administer(url: string, statements: readonly string[]): Promise<pg.QueryResult[]> {
  const client = await connect(url);
  try {
    const results: pg.QueryResult[] = [];
    for (const statement of statements) results.push(await client.query(statement));
    return results;
  } finally {
    await client.end();
  }
}
