// Hears what a server asks its database: a proxy that passes every byte on and notes statements with their values.
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

export interface Statement {
  text: string;
  values: (string | null)[];
}

export interface Recorder {
  /** Leads to the database by way of the recorder. */
  url: string;
  /** What was asked since the last call. */
  take: () => Statement[];
  stop: () => void;
}

export async function startRecorder(databaseUrl: string): Promise<Recorder> {
  let heard: Statement[] = [];
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(databaseUrl);
  const proxy = createServer((client) => {
    const server = connect(Number(port || 5432), hostname);
    const listener = new Listener((statement) => heard.push(statement));
    client.on('data', (chunk) => listener.hear(chunk));
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return {
    url: url.href,
    take: () => {
      const taken = heard;
      heard = [];
      return taken;
    },
    stop: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The client's half of one connection, message by message, as PostgreSQL's protocol 3.0 has it. */
class Listener {
  private rest: Buffer = Buffer.alloc(0);
  private started = false;
  private readonly prepared = new Map<string, string>();

  private readonly heard: (statement: Statement) => void;

  constructor(heard: (statement: Statement) => void) {
    this.heard = heard;
  }

  hear(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      // The very first message has no type.
      const head = this.started ? 1 : 0;
      if (this.rest.length < head + 4) return;
      const end = head + this.rest.readInt32BE(head);
      if (this.rest.length < end) return;
      if (this.started) this.message(this.rest.toString('latin1', 0, 1), this.rest.subarray(5, end));
      this.started = true;
      this.rest = this.rest.subarray(end);
    }
  }

  private message(type: string, body: Buffer): void {
    if (type === 'Q') this.heard({ text: textAt(body, 0), values: [] });
    if (type === 'P') {
      const name = textAt(body, 0);
      this.prepared.set(name, textAt(body, Buffer.byteLength(name) + 1));
    }
    if (type === 'B') this.bound(body);
  }

  private bound(body: Buffer): void {
    let at = Buffer.byteLength(textAt(body, 0)) + 1;
    const name = textAt(body, at);
    at += Buffer.byteLength(name) + 1;
    at += 2 + 2 * body.readInt16BE(at); // formats
    const values: (string | null)[] = [];
    const count = body.readInt16BE(at);
    at += 2;
    for (let index = 0; index < count; index += 1) {
      const length = body.readInt32BE(at);
      at += 4;
      values.push(length < 0 ? null : body.toString('utf8', at, at + length));
      at += Math.max(0, length);
    }
    this.heard({ text: this.prepared.get(name) ?? '', values });
  }
}

function textAt(body: Buffer, at: number): string {
  return body.toString('utf8', at, body.indexOf(0, at));
}
