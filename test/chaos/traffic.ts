// Reads and writes against a running service from several clients at once, and an audit of what became of the writes.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Whether this is the long version (test/chaos/jest.config.js). */
export const isLong = 'IS_LONG' in globalThis;

export interface Figures {
  sent: number;
  /** Answered with success. */
  acknowledged: number;
  /** Answered with an error. */
  refused: number;
  /** Not answered at all. */
  broken: number;
  /** Acknowledged writes that are not in the database. */
  lost: number;
  /** Contacts that were made more than once. */
  doubled: number;
  /** The longest time without any answer of success, in ms. */
  longestOutage: number;
}

interface Target {
  url: string;
  headers: Record<string, string>;
  /** The company whose contacts the clients make and change. */
  company: string;
}

/** Between two requests of a client, in ms: load that is felt, and leaves the machine to what is tested. */
const PAUSE = 20;

export class Traffic {
  /** What went wrong, for whoever reads a failed test. */
  readonly failures: string[] = [];
  private readonly counts = { sent: 0, acknowledged: 0, refused: 0, broken: 0, longestOutage: 0 };
  /** Names of contacts whose creation was acknowledged. */
  private readonly created = new Set<string>();
  /** The last change of each contact that was acknowledged, by its id. */
  private readonly changed = new Map<string, number>();
  private lastSuccess = performance.now();
  private isStopped = false;
  private clients: Promise<void>[] = [];

  constructor(private readonly target: Target) {}

  /** Begins with so many clients. */
  start(clients: number): void {
    this.lastSuccess = performance.now();
    this.clients = Array.from({ length: clients }, (_, index) => this.run(index));
  }

  get acknowledged(): number {
    return this.counts.acknowledged;
  }

  /** Ends every client after its request, then compares the database with what was acknowledged. */
  async stop(databaseUrl: string): Promise<Figures> {
    this.isStopped = true;
    await Promise.all(this.clients);
    this.noteSuccess();
    return { ...this.counts, ...(await this.audit(databaseUrl)) };
  }

  /** One client: makes contacts, reads them, and counts up in the title of one that is its own. */
  private async run(index: number): Promise<void> {
    const own = await this.create(`own-${index}`);
    for (let round = 1; !this.isStopped; round += 1) {
      await this.create(`client-${index}-${round}`);
      await this.send('GET', `/api/contacts?company_id=${this.target.company}&limit=5`);
      if (own && (await this.send('PATCH', `/api/contacts/${own}`, { title: String(round) })))
        this.changed.set(own, round);
      if (own) await this.send('GET', `/api/contacts/${own}`);
    }
  }

  private async create(last_name: string): Promise<string | undefined> {
    // Nothing in the schema keeps it from being made twice.
    const made = await this.send('POST', '/api/contacts', { company_id: this.target.company, last_name });
    if (made) this.created.add(last_name);
    return made?.id;
  }

  /** The data of an answer of success. Nothing is tried again: that is the balancer's business. */
  private async send(method: string, path: string, body?: object): Promise<{ id?: string } | undefined> {
    await delay(PAUSE);
    this.counts.sent += 1;
    try {
      const { url, headers } = this.target;
      const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) {
        this.counts.refused += 1;
        this.failures.push(`${method} ${path}: ${response.status} ${text.slice(0, 200)}`);
        return undefined;
      }
      this.counts.acknowledged += 1;
      this.noteSuccess();
      return (JSON.parse(text) as { data: { id?: string } }).data;
    } catch (error) {
      this.counts.broken += 1;
      this.failures.push(`${method} ${path}: ${String((error as Error).cause ?? error)}`);
      return undefined;
    }
  }

  private noteSuccess(): void {
    const now = performance.now();
    this.counts.longestOutage = Math.max(this.counts.longestOutage, Math.round(now - this.lastSuccess));
    this.lastSuccess = now;
  }

  private async audit(databaseUrl: string): Promise<{ lost: number; doubled: number }> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query<{ last_name: string; ids: string[]; titles: (string | null)[] }>(
        `SELECT last_name, array_agg(id) AS ids, array_agg(title) AS titles
         FROM contact WHERE company_id = $1 GROUP BY last_name`,
        [this.target.company],
      );
      const titles = new Map(
        rows.flatMap(({ ids, titles: of }) => ids.map((id, at) => [id, Number(of[at])])),
      );
      const names = new Set(rows.map(({ last_name }) => last_name));
      const lostCreations = [...this.created].filter((name) => !names.has(name));
      const lostChanges = [...this.changed].filter(([id, round]) => (titles.get(id) ?? 0) < round);
      return {
        lost: lostCreations.length + lostChanges.length,
        doubled: rows.filter(({ ids }) => ids.length > 1).length,
      };
    } finally {
      await client.end();
    }
  }
}

/** Prints what a run came to. */
export function report(title: string, figures: Figures): void {
  const { sent, acknowledged, refused, broken, lost, doubled, longestOutage } = figures;
  process.stdout.write(
    `${title}: ${sent} requests sent, ${acknowledged} acknowledged, ${refused} refused, ${broken} broken; ` +
      `${lost} writes lost, ${doubled} doubled; longest outage ${longestOutage} ms\n`,
  );
}
