// A database in use: readers and writers with the statements of a release that knows nothing of what is migrated.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connect } from './connection.ts';
import { INSERTED_DOMAIN } from './operations.ts';

export type Kind = 'read' | 'write';

/** Of the statements that were under way in a span of time, in ms. */
export interface Waits {
  count: number;
  p50: number;
  p99: number;
  longest: number;
}

export interface Usage {
  /** Statements, each counted where the middle of its time lies; from and to as performance.now() tells them. */
  waits: (kind: Kind, from: number, to: number) => Waits;
  /** What went wrong; nobody may notice a migration. */
  failures: { at: number; message: string }[];
  stop: () => Promise<void>;
}

/** Readers, and as many writers. */
export const CLIENTS = 4;
/** Between two statements of one client: in use, with processor time to spare. */
const PAUSE_MS = 20;
const SAMPLED_IDS = 20_000;

const FIELDS = `c.id, c.email, c.full_name, c.company_id, co.name AS company_name, c.contact_type, c.portal_access,
  c.portal_role, c.created_at`;
const FROM = 'contact c LEFT JOIN company co ON co.id = c.company_id';
/** Without the total: a count takes as long as it takes, and would hide how long it waited. */
const page = (where: string): string =>
  `SELECT json_agg(item) FROM (SELECT ${FIELDS} FROM ${FROM} ${where} ORDER BY c.created_at DESC, c.id DESC LIMIT 26) item`;
const CHANGE = 'UPDATE contact SET updated_at = now()';

type Statement = readonly [text: string, ...values: unknown[]];

/** What one client does next: one statement, or several in a transaction. `id` is some contact's. */
type Turn = (id: string, unique: string) => readonly Statement[];

const READS: readonly Turn[] = [
  (id) => [[`SELECT ${FIELDS} FROM ${FROM} WHERE c.id = $1`, id]],
  () => [[page('')]],
  (id) => [[`SELECT ${FIELDS} FROM ${FROM} WHERE c.id = $1`, id]],
  () => [[page(`WHERE c.contact_type = 'client'`)]],
];

const WRITES: readonly Turn[] = [
  (_, unique) => [
    [
      `INSERT INTO contact (id, email, first_name, last_name, contact_type, source)
       VALUES ($1, $2, 'Anna', 'Smith', 'lead', 'website') RETURNING id`,
      `ct_${unique}`,
      `${unique}@${INSERTED_DOMAIN}`,
    ],
  ],
  (id) => [[`${CHANGE}, title = 'Director', pipeline_stage = 'won' WHERE id = $1`, id]],
  (id, unique) => [[`${CHANGE}, email = $2 WHERE id = $1`, id, `${unique}@${INSERTED_DOMAIN}`]],
  (id) => [
    ['SELECT contact_type FROM contact WHERE id = $1 FOR UPDATE', id],
    [`${CHANGE}, contact_type = 'client', first_name = 'Zoë' WHERE id = $1`, id],
  ],
  (_, unique) => [
    [`INSERT INTO company (id, name) VALUES ($1, 'Harbor Bakery')`, `co_${unique}`],
    [
      `INSERT INTO contact (id, company_id, last_name) VALUES ($1, $2, '李小龍')`,
      `ct_${unique}`,
      `co_${unique}`,
    ],
  ],
  (id) => [['DELETE FROM contact WHERE id = $1', id]],
  (id) => [
    [`UPDATE company SET updated_at = now() WHERE id = (SELECT company_id FROM contact WHERE id = $1)`, id],
  ],
];

/** Begins to use the database, but for the contact `spared`. */
export async function use(url: string, spared: string): Promise<Usage> {
  const clients: pg.Client[] = [];
  const connected = async (): Promise<pg.Client> => {
    const client = await connect(url);
    clients.push(client);
    return client;
  };
  const taken: Record<Kind, { middle: number; ms: number }[]> = { read: [], write: [] };
  const failures: Usage['failures'] = [];
  const ids = await sampleIds(await connected(), spared);
  const over = new AbortController();
  const work = async (kind: Kind, turns: readonly Turn[], number: number): Promise<void> => {
    const client = await connected();
    for (let round = 0; !over.signal.aborted; round += 1) {
      const id = ids[(number * 7919 + round * 104_729) % ids.length] ?? '';
      const statements = turns[(number + round) % turns.length]?.(id, `use${number}n${round}`) ?? [];
      const at = performance.now();
      await together(client, statements).catch((error: Error) =>
        failures.push({ at, message: error.message }),
      );
      const ms = performance.now() - at;
      taken[kind].push({ middle: at + ms / 2, ms });
      await sleep(PAUSE_MS);
    }
  };
  const working = Promise.all([
    ...Array.from({ length: CLIENTS }, (_, number) => work('read', READS, number)),
    ...Array.from({ length: CLIENTS }, (_, number) => work('write', WRITES, number)),
  ]);
  working.catch(() => over.abort()); // told by stop()
  return {
    waits: (kind, from, to) =>
      summed(taken[kind].filter(({ middle }) => middle >= from && middle < to).map(({ ms }) => ms)),
    failures,
    stop: async () => {
      over.abort();
      await working;
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

/** In a transaction, if there are several. */
async function together(client: pg.Client, statements: readonly Statement[]): Promise<void> {
  const several = statements.length > 1;
  if (several) await client.query('BEGIN');
  try {
    for (const [text, ...values] of statements) await client.query(text, values);
    if (several) await client.query('COMMIT');
  } catch (error) {
    if (several) await client.query('ROLLBACK');
    throw error;
  }
}

async function sampleIds(client: pg.Client, spared: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM contact WHERE id <> $1 ORDER BY hashtextextended(id, 4) LIMIT ${SAMPLED_IDS}`,
    [spared],
  );
  return rows.map(({ id }) => id);
}

function summed(times: number[]): Waits {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), longest: at(1) };
}
