// Load on a server: by wrk where it is installed, else by autocannon, which costs more processor time itself.
import { randomInt } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import autocannon from 'autocannon';
import { runChild } from './children.ts';
import { type Request, UNIQUE } from './operations.ts';
import { type Server, askedOf } from './servers.ts';
import { wrkScript } from './wrk-script.ts';

export interface Load {
  readonly server: Server;
  readonly requests: readonly Request[];
  readonly connections: number;
  readonly seconds: number;
  /** Begins what replaces UNIQUE: letters and digits, another one for each load. */
  readonly unique: string;
}

export interface Measured {
  requests: number;
  requestsPerSecond: number;
  /**
   * Milliseconds within which half, and 99 of 100, were answered. wrk counts each answer that took longer than twice the
   * mean as several, for the requests that were not sent meanwhile; autocannon does not.
   */
  p50: number;
  p99: number;
}

/** Longer than any answer may take. */
const TIMEOUT_SECONDS = 300;

export const LOAD_PROGRAM = isInstalled('wrk') ? 'wrk' : 'autocannon';

/**
 * Begins anywhere in the requests: what an earlier run left warm, or has changed already, is no advantage.
 * @throws Error with the first answer that is none of success.
 */
export async function measure(given: Load): Promise<Measured> {
  const begin = randomInt(given.requests.length);
  const load = { ...given, requests: [...given.requests.slice(begin), ...given.requests.slice(0, begin)] };
  const { failed, ...measured } = await (LOAD_PROGRAM === 'wrk' ? byWrk(load) : byAutocannon(load));
  if (failed > 0) throw new Error(await firstFailure(load, failed));
  return measured;
}

/** Whether a program is on the PATH. */
export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

type Outcome = Measured & { failed: number };

async function byWrk(load: Load): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'contacts-bench-'));
  try {
    const script = join(folder, 'requests.lua');
    await writeFile(script, wrkScript(load));
    const { connections, seconds, server } = load;
    const args = [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      `${TIMEOUT_SECONDS}s`,
      '-s',
      script,
    ];
    const { output } = await runChild('wrk', [...args, server.url]);
    const [, text] = /^RESULT (\{.*\})$/m.exec(output) ?? [];
    if (text === undefined) throw new Error(`wrk failed:\n${output}`);
    const { requests, duration, p50, p99, failed } = JSON.parse(text) as Record<string, number> & {
      requests: number;
      duration: number;
      p50: number;
      p99: number;
      failed: number;
    };
    return {
      requests,
      requestsPerSecond: (requests / duration) * 1e6,
      p50: p50 / 1000,
      p99: p99 / 1000,
      failed,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its own percentiles are whole milliseconds: these are not. */
async function byAutocannon({ server, requests, connections, seconds, unique }: Load): Promise<Outcome> {
  const times: number[] = [];
  let [client, sent, failed] = [0, 0, 0];
  const own = requests
    .map((request) => askedOf(server, request))
    .map(({ body, ...asked }) => ({
      ...asked,
      ...(body !== undefined && {
        body,
        setupRequest: (request: autocannon.Request) => {
          sent += 1;
          return { ...request, body: body.replaceAll(UNIQUE, `${unique}${sent}`) };
        },
      }),
    }));
  // What it returns is both, though its types know only one of them.
  const run = autocannon({
    url: server.url,
    connections,
    duration: seconds,
    timeout: TIMEOUT_SECONDS,
    requests: own.slice(0, 1),
    // Each connection has a part of its own, for it prepares all it has; of few requests all, beginning elsewhere.
    setupClient: (connection) => {
      const begin = Math.floor((client * own.length) / connections);
      const end = Math.floor(((client + 1) * own.length) / connections);
      client += 1;
      const part =
        own.length >= connections ? own.slice(begin, end) : [...own.slice(begin), ...own.slice(0, begin)];
      connection.setRequests(part);
    },
  }) as Promise<autocannon.Result> & autocannon.Instance;
  void run.on('response', (_client, status, _bytes, time) => {
    times.push(time);
    if (status < 200 || status > 299) failed += 1;
  });
  const { errors, duration } = await run;
  times.sort((one, other) => one - other);
  const percentile = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
  return {
    requests: times.length,
    requestsPerSecond: times.length / duration,
    p50: percentile(0.5),
    p99: percentile(0.99),
    failed: failed + errors,
  };
}

/** Asks again, one request after the other, for an answer to show. */
async function firstFailure({ server, requests, unique }: Load, failed: number): Promise<string> {
  const summary = `${failed} answers of ${server.name} were no success`;
  for (const [index, request] of requests.slice(0, 500).entries()) {
    const { method, path, headers, body } = askedOf(server, request);
    const text = body?.replaceAll(UNIQUE, `${unique}again${index}`);
    const answer = await fetch(server.url + path, { method, headers, body: text });
    if (!answer.ok) return `${summary}: ${method} ${path} answers ${answer.status} ${await answer.text()}`;
  }
  return `${summary} under load; the same requests succeed one at a time.`;
}
