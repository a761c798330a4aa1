// A mix of all operations, as a service in use has it.
import type pg from 'pg';
import { OPERATIONS, type OperationKey, type Request } from './operations.ts';
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

/** Requests in a random but repeatable order, each operation asked for by its share. */
export async function mixedRequests(
  client: pg.Client,
  { contacts, operations }: Pick<Options, 'contacts' | 'operations'>,
): Promise<Request[]> {
  const samples = await chooseSamples(client, contacts);
  const turns = OPERATIONS.filter(({ key }) => operations.includes(key)).flatMap(
    ({ key, requests: make }) => {
      const requests = make(samples);
      return Array.from({ length: MIX[key] }, () => requests);
    },
  );
  // A step that has no divisor in common with a hundred turns spreads each operation evenly.
  return Array.from({ length: REQUESTS }, (_, index) => {
    const requests = turns[(index * 37) % turns.length] ?? [];
    return requests[(index * 101) % requests.length];
  }).filter((request) => request !== undefined);
}
