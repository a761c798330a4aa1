// A mix of all operations, as a service in use has it.
import type pg from 'pg';
import { OPERATIONS, type OperationKey, type Request, requestsOf } from './operations.ts';
import type { Options } from './options.ts';
import { chooseSamples } from './samples.ts';

/** Of 100 requests. Writes are one in ten, and the slow ones too few to be all that happens. */
const MIX: Record<OperationKey, number> = {
  a: 20,
  b: 10,
  b2: 5,
  c: 14,
  d1: 3,
  d2: 10,
  e: 3,
  f: 25,
  g: 5,
  h: 5,
};
const REQUESTS = 10_000;

/** Each operation evenly spread by its share, and asking for everything it has to ask in turn: the same in every run. */
export async function mixedRequests(
  client: pg.Client,
  { contacts, operations }: Pick<Options, 'contacts' | 'operations'>,
): Promise<Request[]> {
  const samples = await chooseSamples(client, contacts);
  const mixed = OPERATIONS.filter(({ key }) => operations.includes(key)).map((operation) => ({
    requests: requestsOf(operation, samples),
    share: MIX[operation.key],
    due: 0,
    asked: 0,
  }));
  const whole = mixed.reduce((sum, { share }) => sum + share, 0);
  return Array.from({ length: REQUESTS }, () => {
    for (const one of mixed) one.due += one.share;
    // Whoever has waited longest for its share.
    const next = mixed.reduce((first, one) => (one.due > first.due ? one : first));
    next.due -= whole;
    next.asked += 1;
    return next.requests[next.asked % next.requests.length] as Request;
  });
}
