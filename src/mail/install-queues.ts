// Brings the queue's own tables up to date: part of a migration, never of a service's start.
import { PgBoss } from 'pg-boss';

/** Every queue there is. */
export const QUEUES = ['magic-link-mail'] as const;
export type QueueName = (typeof QUEUES)[number];

/**
 * The waits double from about two seconds to a minute. Twenty of them are as long as a link lives; what is not sent by
 * then is kept as failed. A job whose process has died is noticed by its heartbeat; one that works may take its time.
 */
export const RETRIES = {
  retryLimit: 20,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 60,
  heartbeatSeconds: 20,
  expireInSeconds: 600,
};

/** Creates or upgrades pg-boss's schema `pgboss` and the queues; does nothing where they are current. */
export async function installQueues(connectionString: string): Promise<void> {
  const boss = new PgBoss({ connectionString, max: 1, schedule: false, supervise: false });
  // Without a handler an error would end the process; the calls below report it.
  boss.on('error', () => undefined);
  try {
    await boss.start();
    for (const queue of QUEUES) {
      await boss.createQueue(queue, RETRIES);
      // One that was there already keeps what an earlier release created it with.
      await boss.updateQueue(queue, RETRIES);
    }
  } finally {
    await boss.stop({ graceful: false });
  }
}
