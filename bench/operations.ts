// The operations that are measured: what each one is, how it is loaded, and what it should reach.
import type { Samples } from './samples.ts';

export const OPERATION_KEYS = ['a', 'b', 'b2', 'c', 'd1', 'd2', 'e', 'f', 'g', 'h'] as const;
export type OperationKey = (typeof OPERATION_KEYS)[number];

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  /** JSON; UNIQUE in it stands for text that no other request has. */
  readonly body?: string;
  /** What is other when the service is asked: the baselines know no portal users. */
  readonly ofService?: { readonly path: string; readonly headers: Record<string, string> };
}

export interface Operation {
  readonly key: OperationKey;
  readonly title: string;
  readonly connections: number;
  readonly requests: (samples: Samples) => Request[];
  /** How many times as many requests per second as each baseline. */
  readonly targets: { readonly 'fastify-pg'?: number; readonly 'nest-typeorm'?: number };
}

/** Replaced in bodies by whoever sends them. */
export const UNIQUE = '{unique}';
/** Whatever the bench inserts has an address here, by which it is found and deleted again. */
export const INSERTED_DOMAIN = 'inserted.bench.example';

const LIMIT = 25;
const CONNECTIONS = 32;
/** So many contacts are patched again and again, to another stage each time: a patch that changes nothing is no patch. */
const PATCHED = 2_000;

const list = (parameters: Record<string, string | number>): Request => {
  const words = Object.entries({ ...parameters, limit: LIMIT }).map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`,
  );
  return { method: 'GET', path: `/api/contacts?${words.join('&')}` };
};

export const OPERATIONS: readonly Operation[] = [
  {
    key: 'a',
    title: 'list, page 1',
    connections: CONNECTIONS,
    requests: () => [list({})],
    targets: { 'fastify-pg': 50, 'nest-typeorm': 250 },
  },
  {
    key: 'b',
    title: 'list by company',
    connections: CONNECTIONS,
    requests: ({ companies }) => companies.map((company_id) => list({ company_id })),
    targets: { 'fastify-pg': 1.5, 'nest-typeorm': 5 },
  },
  {
    key: 'b2',
    title: 'list by a portal user',
    connections: CONNECTIONS,
    requests: ({ portalUsers }) =>
      portalUsers.map(({ companyId, token }) => ({
        ...list({ company_id: companyId }),
        ofService: { path: list({}).path, headers: { authorization: `Bearer ${token}` } },
      })),
    targets: { 'fastify-pg': 1.5, 'nest-typeorm': 5 },
  },
  {
    key: 'c',
    title: 'list by type and source',
    connections: CONNECTIONS,
    requests: ({ combinations }) => combinations.map(({ type, source }) => list({ type, source })),
    targets: { 'fastify-pg': 40 },
  },
  {
    key: 'd1',
    title: 'search, 2.8 % match',
    connections: CONNECTIONS,
    requests: ({ frequentTerms }) => frequentTerms.map((search) => list({ search })),
    targets: { 'fastify-pg': 10 },
  },
  {
    key: 'd2',
    title: 'search, 33 per million match',
    connections: CONNECTIONS,
    requests: ({ rareTerms }) => rareTerms.map((search) => list({ search })),
    targets: { 'fastify-pg': 2 },
  },
  {
    key: 'e',
    title: 'page in the middle',
    connections: 8,
    requests: ({ middlePages }) => middlePages.map((page) => list({ page })),
    targets: { 'fastify-pg': 200 },
  },
  {
    key: 'f',
    title: 'get by id',
    connections: CONNECTIONS,
    requests: ({ ids }) => ids.map((id) => ({ method: 'GET', path: `/api/contacts/${id}` })),
    targets: { 'fastify-pg': 1.4, 'nest-typeorm': 8 },
  },
  {
    key: 'g',
    title: 'insert',
    connections: CONNECTIONS,
    requests: ({ newContacts }) =>
      newContacts.map((contact) => ({
        method: 'POST',
        path: '/api/contacts',
        body: JSON.stringify({ ...contact, email: `${UNIQUE}@${INSERTED_DOMAIN}` }),
      })),
    targets: { 'fastify-pg': 0.75, 'nest-typeorm': 2.2 },
  },
  {
    key: 'h',
    title: 'patch',
    connections: CONNECTIONS,
    requests: ({ ids, titles, stages }) =>
      stages.flatMap((_, turn) =>
        ids.slice(0, PATCHED).map((id, index) => ({
          method: 'PATCH',
          path: `/api/contacts/${id}`,
          body: JSON.stringify({
            title: `${titles[index % titles.length]} ${UNIQUE}`,
            pipeline_stage: stages[(index + turn) % stages.length],
          }),
        })),
      ),
    targets: { 'fastify-pg': 0.9, 'nest-typeorm': 2.2 },
  },
];

/** @throws Error where the contacts are so few that there is nothing to ask. */
export function requestsOf({ key, requests: make }: Operation, samples: Samples): Request[] {
  const requests = make(samples);
  if (requests.length === 0) throw new Error(`So few contacts leave nothing to ask for operation ${key}.`);
  return requests;
}

export const isWrite = ({ key }: Operation): boolean => key === 'g' || key === 'h';
