// Before anything is measured: the servers give the same answers, down to the fields of every item.
import { isDeepStrictEqual } from 'node:util';
import { type Operation, type Request, isWrite } from './operations.ts';
import { type Server, type ServerName, askedOf } from './servers.ts';

export interface Agreement {
  /** How many requests every server answered alike. */
  requests: number;
  /** Milliseconds that the quickest answer took each server while nothing else happened, by operation. */
  alone: Map<string, number>;
}

/** Answers compared per operation. */
const COMPARED = 5;
/** After so long an operation's first answers have to do: of ten million contacts a far page takes some half a minute. */
const LONG_MS = 30_000;

export const aloneKey = (operation: Operation, server: ServerName): string => `${operation.key} ${server}`;

/** @throws Error with the first difference. */
export async function checkAgreement(
  operations: readonly { operation: Operation; requests: readonly Request[] }[],
  servers: readonly Server[],
): Promise<Agreement> {
  const agreement: Agreement = { requests: 0, alone: new Map() };
  for (const { operation, requests } of operations) {
    if (isWrite(operation)) continue;
    const began = performance.now();
    for (const request of spread(requests, COMPARED)) {
      if (performance.now() - began > LONG_MS) break;
      const answers: { server: ServerName; data: Answer }[] = [];
      for (const server of servers) {
        const started = performance.now();
        const data = await ask(server, request);
        const taken = performance.now() - started;
        const key = aloneKey(operation, server.name);
        agreement.alone.set(key, Math.min(taken, agreement.alone.get(key) ?? Infinity));
        answers.push({ server: server.name, data: request.ofService ? found(data) : data });
      }
      requireSame(`${operation.key} (${operation.title}), GET ${request.path}`, answers);
      agreement.requests += 1;
    }
  }
  return agreement;
}

type Answer = { items?: { id: string }[]; total?: number } & Record<string, unknown>;

async function ask(server: Server, request: Request): Promise<Answer> {
  const { name, url } = server;
  const { path, headers } = askedOf(server, request);
  const response = await fetch(url + path, { headers });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${name} answers GET ${path} with ${response.status}: ${text.slice(0, 500)}`);
  return (JSON.parse(text) as { data: Answer }).data;
}

/** Portal users see other fields of the same contacts. */
function found({ total, items }: Answer): Answer {
  return { total, items: items?.map(({ id }) => ({ id })) };
}

function requireSame(what: string, answers: readonly { server: ServerName; data: Answer }[]): void {
  const [first, ...others] = answers;
  for (const other of others) {
    if (!first || isDeepStrictEqual(first.data, other.data)) continue;
    const difference = [first, other].map(({ server, data }) => `  ${server}: ${brief(data)}`).join('\n');
    throw new Error(`The servers disagree on ${what}:\n${difference}`);
  }
}

/** Total and ids of a list, since most differences show there; otherwise everything. */
function brief(data: Answer): string {
  const { items, total } = data;
  const text = items
    ? `total ${total}, ${items.map(({ id }) => id).join(' ')}; first ${JSON.stringify(items[0])}`
    : JSON.stringify(data);
  return text.slice(0, 1_500);
}

function spread<T>(all: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0).slice(0, count);
}
