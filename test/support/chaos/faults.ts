// What can befall a database, and how it is put right.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { waitUntil } from '../wait.js';
import type { Cluster } from './cluster.js';
import { fillDisk, fillLogDisk, freeDisk, freeLogDisk } from './full-disk.js';
import { Loop } from './loop.js';
import { TIMEOUT } from './service.js';
import type { Fault, World } from './world.js';

const nothing = async (): Promise<void> => {};

/** Does it again and again until the fault is over. */
function repeated(
  name: string,
  lasts: number,
  every: number,
  work: (world: World) => Promise<unknown>,
): Fault {
  let loop: Loop | undefined;
  return {
    name,
    lasts,
    begin: async (world) => {
      loop = new Loop(() => work(world), every);
    },
    end: async () => loop?.stop(),
  };
}

const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'contacts%'`;

/** Takes all the connections that the server has to give, after ending those of the service, should it have none. */
function noConnections(name: string, endsOthers: boolean): Fault {
  const held: pg.Client[] = [];
  return {
    name,
    lasts: 2_000,
    begin: async ({ cluster }) => {
      const first = await cluster.connect();
      held.push(first);
      if (endsOthers) {
        // So few that nobody is faster, and back again when all are taken.
        await first.query(TERMINATE);
      }
      for (;;) {
        try {
          held.push(await cluster.connect());
        } catch {
          return;
        }
      }
    },
    end: async () => {
      await Promise.all(held.splice(0).map((client) => client.end()));
    },
  };
}

/** Keeps everybody from the contacts. */
async function lockContacts(cluster: Cluster, seconds: number): Promise<void> {
  const holder = await cluster.connect();
  await holder.query('BEGIN; LOCK TABLE contact');
  void holder.query('SELECT pg_sleep($1)', [seconds]).then(() => holder.end());
}

/** In its own order, which is not that of the service: of the two it is the service that PostgreSQL chooses to fail. */
async function deadlock(cluster: Cluster): Promise<void> {
  const other = await cluster.connect();
  try {
    await other.query(`SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE auth_audit_log IN SHARE MODE`);
    await sleep(100); // for those who come from the contacts to wait for it; they look for a deadlock once, after this
    await other.query('LOCK TABLE contact IN SHARE MODE; COMMIT');
  } finally {
    await other.end();
  }
}

const deadlocks = async (cluster: Cluster): Promise<number> =>
  (await cluster.sql<{ count: number }>('SELECT sum(deadlocks)::int AS count FROM pg_stat_database'))[0]
    ?.count ?? 0;

/** @throws Error when nobody deadlocked. */
function deadlocked(): Fault {
  const again = repeated('deadlocked again and again', 4_000, 200, ({ cluster }) => deadlock(cluster));
  let before = 0;
  return {
    ...again,
    begin: async (world) => {
      before = await deadlocks(world.cluster);
      await world.cluster.sql(`ALTER DATABASE postgres SET deadlock_timeout = '200ms'`);
      await world.cluster.sql(TERMINATE);
      await again.begin(world);
    },
    end: async (world) => {
      await again.end(world);
      await world.cluster.sql('ALTER DATABASE postgres RESET deadlock_timeout');
      await world.cluster.sql(TERMINATE);
      // A session tells its figures when it ends, at the latest.
      await waitUntil(async () => (await deadlocks(world.cluster)) > before);
    },
  };
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'killed with all its processes',
    lasts: 300,
    begin: ({ cluster }) => cluster.kill(),
    end: ({ cluster }) => cluster.start(),
  },
  {
    name: 'restarted',
    lasts: 0,
    begin: ({ cluster }) => cluster.stop(),
    end: ({ cluster }) => cluster.start(),
  },
  {
    name: 'away for ten seconds',
    lasts: 10_000,
    begin: ({ cluster }) => cluster.stop(),
    end: ({ cluster }) => cluster.start(),
  },
  {
    name: 'paused for longer than anybody waits',
    lasts: 2 * TIMEOUT,
    begin: ({ cluster }) => cluster.pause(),
    end: ({ cluster }) => cluster.resume(),
  },
  {
    name: 'paused for a moment',
    lasts: 500,
    begin: ({ cluster }) => cluster.pause(),
    end: ({ cluster }) => cluster.resume(),
    isHarmless: true,
  },
  noConnections('no connections beyond those there are', false),
  noConnections('no connections at all', true),
  {
    name: 'read-only',
    lasts: 2_000,
    begin: ({ cluster }) => cluster.configure('default_transaction_read_only', 'on'),
    end: ({ cluster }) => cluster.configure('default_transaction_read_only', null),
  },
  {
    name: 'serializable, so that writes collide',
    lasts: 4_000,
    begin: async ({ cluster }) => {
      await cluster.sql(`ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'`);
      await cluster.sql(TERMINATE);
    },
    end: async ({ cluster }) => {
      await cluster.sql('ALTER DATABASE postgres RESET default_transaction_isolation');
      await cluster.sql(TERMINATE);
    },
  },
  deadlocked(),
  {
    name: 'out of disk',
    lasts: 3_000,
    begin: ({ cluster }) => fillDisk(cluster),
    end: ({ cluster }) => freeDisk(cluster),
  },
  {
    name: 'out of disk for its write-ahead log, of which it dies',
    lasts: 2_000,
    begin: ({ cluster }) => fillLogDisk(cluster),
    end: ({ cluster }) => freeLogDisk(cluster),
  },
  {
    name: 'locked for longer than lock_timeout',
    lasts: 2_000,
    begin: async ({ cluster }) => {
      await cluster.sql(`ALTER DATABASE postgres SET lock_timeout = '200ms'`);
      await cluster.sql(TERMINATE);
      await lockContacts(cluster, 2);
    },
    end: async ({ cluster }) => {
      await cluster.sql('ALTER DATABASE postgres RESET lock_timeout');
      await cluster.sql(TERMINATE);
    },
  },
  {
    name: 'locked for longer than statement_timeout',
    lasts: TIMEOUT + 2_000,
    begin: ({ cluster }) => lockContacts(cluster, TIMEOUT / 1_000 + 2),
    end: nothing,
  },
  {
    name: 'line cut',
    lasts: 1_000,
    begin: async ({ line }) => line.cut(),
    end: async ({ line }) => line.restore(),
  },
  {
    name: 'line silent, and another one in its place',
    lasts: 1_000,
    begin: async ({ line }) => line.silence(),
    end: async ({ line }) => {
      line.restore();
      line.bury();
    },
    isSilent: true,
  },
  repeated('line reset again and again', 3_000, 50, async ({ line }) => line.reset()),
  {
    name: 'every fiftieth answer lost with its connection',
    lasts: 4_000,
    begin: async ({ line }) => line.loseAnswers(50),
    end: async ({ line }) => line.restore(),
  },
  repeated('every session ended again and again', 3_000, 50, ({ cluster }) => cluster.sql(TERMINATE)),
  repeated('every statement cancelled again and again', 3_000, 20, ({ cluster }) =>
    cluster.sql(TERMINATE.replace('terminate', 'cancel')),
  ),
  {
    name: 'one session killed, which restarts all others',
    lasts: 0,
    begin: async ({ cluster }) => {
      const [victim] = await cluster.sql<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE application_name = 'contacts' LIMIT 1`,
      );
      if (victim) process.kill(victim.pid, 'SIGKILL');
    },
    end: nothing,
  },
];
