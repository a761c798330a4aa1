// The queue of mails, as its tables show it.
import type { PortalService } from './portal.js';
import { waitUntil } from './wait.js';

/** Waits until the mail of a request is in this state of the queue. */
export async function mailJobIn(
  { service }: PortalService,
  requestId: string,
  state: string,
): Promise<Record<string, unknown>> {
  let job: Record<string, unknown> | undefined;
  await waitUntil(async () => {
    [job] = await service.sql<Record<string, unknown>>(
      `SELECT * FROM pgboss.job WHERE data->>'id' = $1 AND state::text = $2`,
      [requestId, state],
    );
    return job !== undefined;
  });
  return job ?? {};
}
