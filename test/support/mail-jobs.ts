// The queue of mails, as its tables show it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PortalService } from './portal.js';

/** Waits, for `within` ms, until the mail of a request is in this state of the queue. */
export async function mailJobIn(
  { service }: PortalService,
  requestId: string,
  state: string,
  within = 10_000,
): Promise<Record<string, unknown>> {
  for (const end = Date.now() + within; Date.now() < end; await sleep(20)) {
    const [job] = await service.sql<Record<string, unknown>>(
      `SELECT * FROM pgboss.job WHERE data->>'id' = $1 AND state::text = $2`,
      [requestId, state],
    );
    if (job) return job;
  }
  throw new Error(`The mail of ${requestId} did not come into the state ${state}.`);
}
