// Brings the queue's own tables up to date: part of a migration, never of a service's start.
import { PgBoss } from 'pg-boss';

/** Every queue there is. */
export const QUEUES = ['magic-link-mail'] as const;
export type QueueName = (typeof QUEUES)[number];

/** Tried again five times, the waits doubling from about two seconds, then kept as failed. */
const RETRIES = { retryLimit: 5, retryDelay: 2, retryBackoff: true, expireInSeconds: 60 };

/** Creates or upgrades pg-boss's schema `pgboss` and the queues; does nothing where they are current. */
export async function installQueues(connectionString: string): Promise<void> {
  const boss = new PgBoss({ connectionString, max: 1, schedule: false, supervise: false });
  // Without a handler an error would end the process; the calls below report it.
  boss.on('error', () => undefined);
  try {
    await boss.start();
    for (const queue of QUEUES) await boss.createQueue(queue, RETRIES);
  } finally {
    await boss.stop({ graceful: false });
  }
}
