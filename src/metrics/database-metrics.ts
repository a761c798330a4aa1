// The ways to the database: connections, what waits for them, and what becomes of the statements.
import { DatabaseError, type Pool } from 'pg';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ApiError } from '../common/errors.js';
import { poolOf } from '../common/impatient-pool.js';
import type { ServerLoad, Servers } from '../common/servers.js';
import { type Operation, poolWaits, serverChosen, statements, whenDone } from '../common/signals.js';

/** In seconds, from a read by its key to DATABASE_TIMEOUT_MS. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Answers how to stop. */
export function watchDatabase(registry: Registry, servers: Servers): () => void {
  watchPools(registry, servers);
  watchReads(registry, servers);
  return watchStatements([registry]);
}

function watchPools(registry: Registry, servers: Servers): void {
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_connections',
      help: 'Connections of the pool, by whether they are in use; contacts_database_pool_size is the most.',
      labelNames: ['server', 'state'],
      registers: [],
      collect() {
        for (const { server, pool } of poolsOf(servers)) {
          this.set({ server, state: 'idle' }, pool.idleCount);
          this.set({ server, state: 'used' }, pool.totalCount - pool.idleCount);
        }
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_size',
      help: 'The most connections the pool may have.',
      labelNames: ['server'],
      registers: [],
      collect() {
        for (const { server, pool } of poolsOf(servers)) this.set({ server }, pool.options.max);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_pool_waiting',
      help: 'Requests that wait for a connection of the pool.',
      labelNames: ['server'],
      registers: [],
      collect() {
        for (const { server, pool } of poolsOf(servers)) this.set({ server }, pool.waitingCount);
      },
    }),
  );
}

function watchReads(registry: Registry, servers: Servers): void {
  registry.registerMetric(
    new Gauge({
      name: 'contacts_database_lane_waiting',
      help: 'Statements of short reads without an answer, by the connection they share.',
      labelNames: ['server', 'lane'],
      registers: [],
      collect() {
        for (const { server, reads } of servers.loads)
          for (const [lane, waiting] of reads.waiting.entries()) this.set({ server, lane }, waiting);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_replica_used',
      help: '1 while the replica is read from, 0 while it is left out; missing without DATABASE_REPLICA_URL.',
      registers: [],
      collect() {
        if (servers.isReplicaUsed === undefined) this.remove();
        else this.set(Number(servers.isReplicaUsed));
      },
    }),
  );
}

function watchStatements(registers: Registry[]): () => void {
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
  const reads = new Counter({
    name: 'contacts_reads_total',
    help: 'Lists and gets by the server they went to, where there is a replica.',
    labelNames: ['server'],
    registers,
  });
  for (const server of ['primary', 'replica']) reads.inc({ server }, 0);
  const stops = [
    whenDone(poolWaits, (wait) => {
      // Who is refused for the length of the queue has not waited.
      if (wait.error instanceof ApiError) return;
      waits.observe(secondsOf(wait));
      if (wait.error) errors.inc({ class: 'connection' });
    }),
    whenDone(statements, (statement) => {
      durations.observe(secondsOf(statement));
      if (statement.error) errors.inc({ class: classOf(statement.error) });
    }),
    serverChosen.listen(({ server }) => reads.inc({ server })),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

const poolsOf = (servers: Servers): { server: ServerLoad['server']; pool: Pool }[] =>
  servers.loads.map(({ server, source }) => ({ server, pool: poolOf(source) }));

const secondsOf = ({ begunAt }: Operation): number => (performance.now() - begunAt) / 1000;

/** The first two characters of an SQLSTATE: 23 is a broken constraint, 53 a lack of resources, and so on. */
const classOf = (error: unknown): string =>
  error instanceof DatabaseError && error.code ? error.code.slice(0, 2) : 'connection';
