// A transaction on a connection of the pool: all of it or nothing, and done again where it certainly came to nothing.
import { DatabaseError, type PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { isUnanswered, isUndone, isUndoneCommit, spoilsConnection } from './database-errors.js';
import { ApiError } from './errors.js';
import { poolOf } from './impatient-pool.js';
import type { PreparedNames } from './prepared-names.js';
import type { Transactional } from './sql.js';
import { Undone, tryAgain } from './try-again.js';

type Work<T> = (db: Transactional) => Promise<T>;

/**
 * Runs `work` in one transaction. It may run several times, each time from the start: what it does besides asking `db`
 * has to bear that. When the connection is lost with the COMMIT, nobody knows what became of it, and it is not repeated.
 * @param outer the transaction that `work` is to be a part of, in a savepoint, if one is open.
 */
export function transaction<T>(source: DataSource, work: Work<T>, outer?: Transactional): Promise<T> {
  if (outer) return outer.transaction(work);
  const pool = poolOf(source);
  return tryAgain(() =>
    pool.use(async (client) => {
      const result = await uncommitted(client, pool.names.within, work);
      await commit(client);
      return result;
    }),
  );
}

async function uncommitted<T>(client: PoolClient, names: PreparedNames, work: Work<T>): Promise<T> {
  try {
    await client.query('START TRANSACTION');
    return await work(on(client, names));
  } catch (error) {
    // Behind a statement without an answer a ROLLBACK would get none either: the connection is closed instead.
    if (isUnanswered(error)) throw error;
    const isAlive = await rollBack(client).then(
      () => true,
      () => false,
    );
    // With the connection everything is gone that was not committed. An answer of ours would be the same again.
    throw error instanceof ApiError || (isAlive && !isUndone(error)) ? error : new Undone(error);
  }
}

/** Once more where it was refused, cancelled just then: until it is done, the transaction is in everybody's way. */
async function rollBack(client: PoolClient): Promise<void> {
  try {
    await client.query('ROLLBACK');
  } catch (error) {
    if (!(error instanceof DatabaseError) || spoilsConnection(error)) throw error;
    await client.query('ROLLBACK');
  }
}

async function commit(client: PoolClient): Promise<void> {
  try {
    const { command } = await client.query('COMMIT');
    // So PostgreSQL answers when a statement had failed and nobody heeded it.
    if (command !== 'COMMIT') throw new Error(`The COMMIT was answered with ${command}.`);
  } catch (error) {
    throw isUndoneCommit(error) ? new Undone(error) : error;
  }
}

function on(client: PoolClient, names: PreparedNames): Transactional {
  return {
    query: async (text, values) => (await client.query({ name: names.of(text), text, values })).rows as never,
    transaction: (work) => within(client, names, work),
  };
}

/** A part that may fail by itself. */
async function within<T>(client: PoolClient, names: PreparedNames, work: Work<T>): Promise<T> {
  await client.query('SAVEPOINT part');
  try {
    const result = await work(on(client, names));
    await client.query('RELEASE SAVEPOINT part');
    return result;
  } catch (error) {
    if (!isUnanswered(error)) await client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
    throw error;
  }
}
