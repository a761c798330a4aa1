// Load that keeps arriving at a fixed rate, whether or not what came before was answered: as a crowd does.
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Request, UNIQUE } from './operations.ts';
import { type Server, askedOf } from './servers.ts';

export interface Crowd {
  readonly server: Server;
  readonly requests: readonly Request[];
  readonly seconds: number;
  /** Begins what replaces UNIQUE. */
  readonly unique: string;
}

/** What became of each request; times in milliseconds from when it fell due, waiting for a connection included. */
export interface Answers {
  readonly good: number[];
  /** Answered with 503 or 429. */
  readonly refused: number[];
  /** How many had another status; 0 is no answer at all. */
  readonly failed: Record<number, number>;
  /** From the first request to the last answer. */
  seconds: number;
}

/** So many requests are under way at most; any further one waits here, and its time runs. */
const CONNECTIONS = 1_000;
/** How long after the last request an answer may come. */
const PATIENCE_MS = 60_000;
const NO_ANSWER = 0;

/** Sends `rate` requests a second when they fall due, and waits for their answers. */
export async function arrive(crowd: Crowd, rate: number): Promise<Answers> {
  const load = new Load(crowd, CONNECTIONS);
  const of = Math.round(rate * crowd.seconds);
  const started = performance.now();
  for (let due = 0; due < of; await sleep(1)) {
    const now = Math.min(of, Math.floor(((performance.now() - started) / 1000) * rate));
    for (; due < now; due += 1) load.send(started + (due / rate) * 1000);
  }
  return load.end(started);
}

/** Each of `connections` asks for the next thing when it has its answer: the peak, by the same means. */
export async function takeTurns(crowd: Crowd, connections: number): Promise<Answers> {
  const load = new Load(crowd, connections);
  const started = performance.now();
  const until = started + crowd.seconds * 1000;
  load.onAnswer = () => performance.now() < until && load.send(performance.now());
  for (let count = 0; count < connections; count += 1) load.send(started);
  await sleep(crowd.seconds * 1000);
  return load.end(started);
}

class Load {
  onAnswer: () => unknown = () => {};
  private readonly answers: Omit<Answers, 'seconds'> = { good: [], refused: [], failed: {} };
  private readonly idle: Connection[] = [];
  private readonly all = new Set<Connection>();
  /** When each request fell due for which there was no connection; the one waiting longest is at `next`. */
  private readonly waiting: number[] = [];
  private next = 0;
  private sent = 0;
  private underWay = 0;

  private readonly url: URL;
  private readonly texts: readonly { readonly head: string; readonly body?: string }[];
  private readonly unique: string;
  private readonly limit: number;

  constructor({ server, requests, unique }: Crowd, limit: number) {
    this.url = new URL(server.url);
    this.unique = unique;
    this.limit = limit;
    this.texts = requests
      .map((request) => askedOf(server, request))
      .map(({ method, path, headers, body }) => {
        const all = Object.entries({ host: this.url.host, ...headers });
        const lines = all.map(([name, value]) => `${name}: ${value}\r\n`);
        const end = body === undefined ? '\r\n' : '';
        return { head: `${method} ${path} HTTP/1.1\r\n${lines.join('')}${end}`, body };
      });
  }

  send(due: number): void {
    this.underWay += 1;
    const connection = this.idle.pop() ?? (this.all.size < this.limit ? this.open() : undefined);
    if (connection) connection.ask(this.text(), due);
    else this.waiting.push(due);
  }

  async end(started: number): Promise<Answers> {
    for (const end = performance.now() + PATIENCE_MS; this.underWay > 0 && performance.now() < end;)
      await sleep(5);
    const seconds = (performance.now() - started) / 1000;
    this.next = this.waiting.length;
    while (this.underWay > 0) this.note(NO_ANSWER, Infinity);
    for (const connection of this.all) connection.close();
    return { ...this.answers, seconds };
  }

  private open(): Connection {
    const connection = new Connection(this.url, {
      answered: (status, due, stays) => {
        this.note(status, performance.now() - due);
        if (stays) this.employ(connection);
        else connection.close();
        this.onAnswer();
      },
      lost: (due) => {
        this.all.delete(connection);
        const at = this.idle.indexOf(connection);
        if (at >= 0) this.idle.splice(at, 1);
        if (this.next < this.waiting.length) this.employ(this.open());
        if (due === undefined) return;
        this.note(NO_ANSWER, Infinity);
        this.onAnswer();
      },
    });
    this.all.add(connection);
    return connection;
  }

  /** Gives a free connection to whoever waits longest. */
  private employ(connection: Connection): void {
    const waiting = this.waiting[this.next];
    if (waiting === undefined) return void this.idle.push(connection);
    this.next += 1;
    connection.ask(this.text(), waiting);
  }

  private note(status: number, time: number): void {
    this.underWay -= 1;
    if (status >= 200 && status < 300) this.answers.good.push(time);
    else if (status === 503 || status === 429) this.answers.refused.push(time);
    else this.answers.failed[status] = (this.answers.failed[status] ?? 0) + 1;
  }

  /** The next request as it goes over the wire. */
  private text(): string {
    const { head = '', body: pattern } = this.texts[this.sent % this.texts.length] ?? {};
    this.sent += 1;
    if (pattern === undefined) return head;
    const body = pattern.replaceAll(UNIQUE, `${this.unique}${this.sent}`);
    return `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }
}

interface Listener {
  answered: (status: number, due: number, stays: boolean) => void;
  /** `due` of the request that got no answer, if there was one. */
  lost: (due: number | undefined) => void;
}

/** Asks one thing at a time; understands answers that tell their length, as ours do. */
class Connection {
  private readonly socket: Socket;
  private due: number | undefined;
  private head = '';
  /** Bytes of the body still to come; undefined while the head is not complete. */
  private missing: number | undefined;

  private readonly listener: Listener;

  constructor({ hostname, port }: URL, listener: Listener) {
    this.listener = listener;
    this.socket = connect(Number(port), hostname)
      .setNoDelay(true)
      .on('data', (chunk) => this.read(chunk))
      .on('error', () => {})
      .on('close', () => this.listener.lost(this.due));
  }

  ask(text: string, due: number): void {
    this.due = due;
    this.socket.write(text);
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    if (this.missing === undefined) {
      const known = this.head.length;
      this.head += chunk.toString('latin1');
      const end = this.head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [, length = '0'] = /\r\ncontent-length: (\d+)/i.exec(this.head.slice(0, end)) ?? [];
      this.missing = Number(length) - (known + chunk.length - end - 4);
      this.head = this.head.slice(0, end);
    } else this.missing -= chunk.length;
    if (this.missing > 0) return;
    const { head, due = 0 } = this;
    [this.head, this.missing, this.due] = ['', undefined, undefined];
    this.listener.answered(Number(head.slice(9, 12)), due, !/\r\nconnection: close/i.test(head));
  }
}
