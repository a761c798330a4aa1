// The first connection of a start: waits for a database that is coming up, and says in one sentence what is wrong.
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';

export interface Patience {
  /** How long to go on trying, in ms; 0 tries once. */
  readonly timeout: number;
  /** Hears a sentence about each try that is followed by another, and whatever else ends no start. */
  readonly tell: (line: string) => unknown;
  /** The setting that holds the address. */
  readonly setting?: string;
}

const TRY_FOR = 5_000;
/** Pauses between tries double from the first to the last, in ms. */
const FIRST_PAUSE = 250;
const LAST_PAUSE = 4_000;

/**
 * What `ask` learns of the database. A pooler lets in before it knows of a server, and a server that is coming up or going
 * down may do so without an answer: so both count as one try.
 * @throws Error with one sentence, without the password: at once when waiting cannot help (a wrong password, no such
 *   database), or when the time is up.
 */
export async function askPatiently<T>(
  url: string,
  patience: Patience,
  ask: (client: Client) => Promise<T>,
): Promise<T> {
  const { timeout, tell, setting = 'DATABASE_URL' } = patience;
  const end = performance.now() + timeout;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LAST_PAUSE)) {
    const left = end - performance.now();
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: Math.max(1, Math.min(TRY_FOR, timeout > 0 ? left : TRY_FOR)),
      query_timeout: TRY_FOR,
    });
    // A lost connection rejects the running query as well; unheard, the event would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await ask(client);
    } catch (error) {
      const { sentence, mayPass } = describe(url, error as Error);
      if (!mayPass) throw new Error(`${sentence} Check ${setting}.`, { cause: error });
      const rest = Math.round((end - performance.now() - pause) / 1_000);
      if (end - performance.now() <= pause) {
        const waited = timeout > 0 ? ` Waited ${timeout / 1_000} s for it.` : '';
        throw new Error(`${sentence}${waited} Check ${setting}, and that the database runs.`, {
          cause: error,
        });
      }
      tell(`${sentence} Trying again in ${pause / 1_000} s, for ${rest} s more.`);
      await delay(pause);
    } finally {
      void client.end().catch(() => undefined);
    }
  }
}

/** Returns once the database answers. @throws as askPatiently does. */
export async function awaitDatabase(url: string, patience: Patience): Promise<void> {
  await askPatiently(url, patience, (client) => client.query('SELECT 1'));
}

/** What the socket says, which is gone as soon as the server or its name is there. */
const UNREACHABLE: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection is broken off',
  EPIPE: 'the connection is broken off',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be looked up',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ETIMEDOUT: 'it does not answer',
};

function describe(url: string, error: Error & { code?: string }): { sentence: string; mayPass: boolean } {
  const { hostname, port, pathname, username } = new URL(url);
  const at = `${hostname || 'localhost'}:${port || 5432}`;
  const user = JSON.stringify(decodeURIComponent(username));
  const database = JSON.stringify(decodeURIComponent(pathname.slice(1)));
  const { code = '', message } = error;
  const fails = (sentence: string) => ({ sentence, mayPass: false });
  const waits = (why: string) => ({ sentence: `No database is to be had at ${at}: ${why}.`, mayPass: true });
  const unreachable = UNREACHABLE[code];
  if (unreachable) return waits(unreachable);
  if (/timeout expired|connection timeout|read timeout/i.test(message)) return waits('it does not answer');
  if (/terminated/i.test(message)) return waits('the connection is broken off');
  if (code === '28P01') return fails(`PostgreSQL at ${at} refuses the password of the user ${user}.`);
  if (code === '3D000') return fails(`PostgreSQL at ${at} has no database ${database}.`);
  // Starting up, shutting down, no connection left, and what a pooler says of a server that is away.
  if (/^(08|53|57P)/.test(code)) return waits(message);
  if (code) return fails(`PostgreSQL at ${at} does not let ${user} into ${database}: ${message}.`);
  return fails(`PostgreSQL at ${at} cannot be used: ${message}.`);
}
