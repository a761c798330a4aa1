// Clients that write through the service all the while, and remember what was acknowledged and what was not.
import { setTimeout as sleep } from 'node:timers/promises';

/** What became of a write: done for sure, or answered with a 503, after which nobody knows. */
export type Outcome = 'acknowledged' | 'unknown';

/** A contact that was to be made; its marker is in no other. */
export interface Creation {
  readonly marker: string;
  readonly outcome: Outcome;
  /** Made together with an entry in the audit log. */
  readonly isAudited: boolean;
}

/** Titles that a contact was to get, one after the other. */
export interface Changes {
  readonly id: string;
  readonly titles: { readonly title: string; readonly outcome: Outcome }[];
}

export interface Target {
  readonly url: string;
  readonly key: string;
  /** A company for those without an e-mail, whom no constraint keeps from being made twice. */
  readonly company: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Between two requests of one client, in ms. */
const PAUSE = 5;

export class Writers {
  readonly creations: Creation[] = [];
  readonly changes: Changes[] = [];
  /** Answers that no fault of a database excuses, and requests without an answer. */
  readonly faults: string[] = [];
  sent = 0;
  acknowledged = 0;
  /** How many of these were writes: there are faults that reads do not notice. */
  written = 0;
  refused = 0;
  /** The longest time without an acknowledged write, in ms. */
  longestOutage = 0;
  private lastGood = 0;
  private isStopped = false;
  private clients: Promise<void>[] = [];

  /** @param name in every marker, so that several may write to one database. */
  constructor(
    private readonly name: string,
    private readonly target: Target,
  ) {}

  start(clients: number): void {
    this.lastGood = performance.now();
    this.clients = Array.from({ length: clients }, (_, number) => this.run(`${this.name}-${number}`));
  }

  /** Resolves when `count` more writes were acknowledged. */
  async progress(count: number): Promise<void> {
    const goal = this.written + count;
    while (this.written < goal && !this.isStopped) await sleep(5);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.clients);
    this.noteGood();
  }

  private async run(name: string): Promise<void> {
    const own: Changes = { id: await this.createOwn(name), titles: [] };
    this.changes.push(own);
    for (let round = 1; !this.isStopped; round += 1) {
      const marker = `${name}-${round}`;
      await this.create(`${marker}-single`, { email: `${marker}@chaos.test` }, false);
      await this.create(`${marker}-twice`, { company_id: this.target.company }, false);
      await this.create(`${marker}-audited`, { email: `${marker}-a@chaos.test`, portal_access: 1 }, true);
      await this.insist(`${marker}-retried`, { company_id: this.target.company });
      await this.change(own, `${marker}-a`, {});
      await this.change(own, `${marker}-b`, { 'if-match': '*' });
      await this.read(own);
    }
  }

  private async createOwn(name: string): Promise<string> {
    const { text } = await this.send('POST', '/api/contacts', { email: `${name}@chaos.test` });
    return (JSON.parse(text) as { data: { id: string } }).data.id;
  }

  private async create(marker: string, fields: object, isAudited: boolean): Promise<void> {
    const answer = await this.send('POST', '/api/contacts', { ...fields, first_name: marker });
    this.creations.push({ marker, outcome: outcomeOf(answer), isAudited });
  }

  /** Asks again, with the key of the first time, until it is told what became of it. */
  private async insist(marker: string, fields: object): Promise<void> {
    const ask = (): Promise<Answer> =>
      this.send('POST', '/api/contacts', { ...fields, first_name: marker }, { 'idempotency-key': marker });
    let answer = await ask();
    while (answer.status !== 201 && !this.isStopped) answer = await ask();
    this.creations.push({ marker, outcome: outcomeOf(answer), isAudited: false });
  }

  private async change({ id, titles }: Changes, title: string, headers: object): Promise<void> {
    const answer = await this.send('PATCH', `/api/contacts/${id}`, { title }, headers);
    titles.push({ title, outcome: outcomeOf(answer) });
  }

  /** A client sees its own writes, whatever came between. */
  private async read({ id, titles }: Changes): Promise<void> {
    const { status, text } = await this.send('GET', `/api/contacts/${id}`);
    if (status !== 200) return;
    const { title } = (JSON.parse(text) as { data: { title: string | null } }).data;
    if (!possibleTitles(titles).includes(title ?? undefined))
      this.faults.push(`${id} was read with the title ${title}`);
  }

  private async send(method: string, path: string, body?: object, headers: object = {}): Promise<Answer> {
    await sleep(PAUSE);
    this.sent += 1;
    try {
      const response = await fetch(this.target.url + path, {
        method,
        headers: { 'x-sm-key': this.target.key, 'content-type': 'application/json', ...headers },
        body: body && JSON.stringify(body),
      });
      const answer = { status: response.status, text: await response.text() };
      this.count(method, path, answer, response.headers.get('retry-after'));
      return answer;
    } catch (error) {
      this.faults.push(`${method} ${path} was not answered: ${String((error as Error).cause ?? error)}`);
      return { status: 0, text: '' };
    }
  }

  private count(method: string, path: string, { status, text }: Answer, retryAfter: string | null): void {
    if ((status === 503 && retryAfter === '1') || (status === 409 && text.includes('"in_progress"')))
      this.refused += 1;
    else if (status >= 400) this.faults.push(`${method} ${path}: ${status} ${text}`);
    else {
      this.acknowledged += 1;
      if (method === 'GET') return;
      this.written += 1;
      this.noteGood();
    }
  }

  private noteGood(): void {
    const now = performance.now();
    this.longestOutage = Math.max(this.longestOutage, now - this.lastGood);
    this.lastGood = now;
  }
}

/** What the title may be: the last that was acknowledged, or any whose fate is unknown, since that may come late. */
export function possibleTitles(titles: Changes['titles']): (string | undefined)[] {
  const last = titles.findLast(({ outcome }) => outcome === 'acknowledged');
  return [last?.title, ...titles.filter(({ outcome }) => outcome === 'unknown').map(({ title }) => title)];
}

function outcomeOf({ status }: Answer): Outcome {
  return status === 200 || status === 201 ? 'acknowledged' : 'unknown';
}
