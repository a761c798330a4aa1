// The way to the database: connections, what waits for them, and what becomes of the statements.
import { DatabaseError, type Pool } from 'pg';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { Reads } from '../common/reads.js';
import { type Operation, poolWaits, statements, whenDone } from '../common/signals.js';

/** In seconds, from a read by its key to DATABASE_TIMEOUT_MS. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Answers how to stop. */
export function watchDatabase(registry: Registry, database: DataSource, reads: Reads): () => void {
  const registers = [registry];
  const pool = (database.driver as PostgresDriver).master as Pool;
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_connections',
      help: 'Connections of the pool, by whether they are in use; DATABASE_POOL_SIZE is the most.',
      labelNames: ['state'],
      registers: [],
      collect() {
        this.set({ state: 'idle' }, pool.idleCount);
        this.set({ state: 'used' }, pool.totalCount - pool.idleCount);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_size',
      help: 'The most connections the pool may have.',
      registers: [],
      collect() {
        this.set(pool.options.max);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_waiting',
      help: 'Requests that wait for a connection of the pool.',
      registers: [],
      collect() {
        this.set(pool.waitingCount);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_lane_waiting',
      help: 'Short reads without an answer, by the connection they share.',
      labelNames: ['lane'],
      registers: [],
      collect() {
        for (const [lane, waiting] of reads.waiting.entries()) this.set({ lane }, waiting);
      },
    }),
  );
  const waits = new Histogram({
    name: 'contacts_database_pool_wait_seconds',
    help: 'Time until the pool had a connection.',
    buckets: BUCKETS,
    registers,
  });
  const durations = new Histogram({
    name: 'contacts_database_statement_duration_seconds',
    help: 'Time from sending a statement to its whole answer.',
    buckets: BUCKETS,
    registers,
  });
  const errors = new Counter({
    name: 'contacts_database_errors_total',
    help: 'Statements that failed, by the class of their SQLSTATE; "connection" if there was none, lost or not to be had.',
    labelNames: ['class'],
    registers,
  });
  const waited = (wait: Operation): void => {
    waits.observe(secondsOf(wait));
    if (wait.error) errors.inc({ class: 'connection' });
  };
  const answered = (statement: Operation): void => {
    durations.observe(secondsOf(statement));
    if (statement.error) errors.inc({ class: classOf(statement.error) });
  };
  const stops = [whenDone(poolWaits, waited), whenDone(statements, answered)];
  return () => {
    for (const stop of stops) stop();
  };
}

const secondsOf = ({ begunAt }: Operation): number => (performance.now() - begunAt) / 1000;

/** The first two characters of an SQLSTATE: 23 is a broken constraint, 53 a lack of resources, and so on. */
const classOf = (error: unknown): string =>
  error instanceof DatabaseError && error.code ? error.code.slice(0, 2) : 'connection';
