// The line between the service and PostgreSQL, where it can be cut, reset, go silent, lead elsewhere, lose an answer or end
// what it opens.
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** What becomes of something the service sends. */
type Mishap = 'lose' | 'lose-answer' | 'end-answer' | 'refuse';

/** Decides about what the service sends: pass it on, or lose it, its answer, or have another one given. */
type Watch = (sent: string) => 'pass' | Mishap | Promise<'pass'>;

/** ReadyForQuery, and an ErrorResponse as an administrator's end of the session brings it. */
const READY = Buffer.from('Z\0\0\0\x05I');
const FIELDS = 'SFATAL\0C57P01\0Mterminating connection due to administrator command\0RProcessInterrupts\0\0';
/** A statement that fails, as any may that is cancelled just then. */
const FAILING = 'SELECT 1 / 0\0';
const REFUSED = Buffer.concat([Buffer.from([0x51, 0, 0, 0, FAILING.length + 4]), Buffer.from(FAILING)]);
/** Statements as they are given a name, and as they are called by it. */
const PARSE = /P[^]{4}([a-z]+_\d+)\0([^\0]*)\0/g;
const BIND = /B[^]{4}\0([a-z]+_\d+)\0/g;
const ENDED = Buffer.concat([Buffer.from([0x45, 0, 0, 0, FIELDS.length + 4]), Buffer.from(FIELDS)]);

export class Line {
  private readonly sockets = new Set<Socket>();
  /** Those of them that lead to the server, and those that did when the line fell silent. */
  private readonly servers = new Set<Socket>();
  private silent: ReadonlySet<Socket> = new Set();
  private state: 'open' | 'cut' | 'silent' | 'ending' = 'open';
  private watch: Watch = () => 'pass';
  /** How often something is still to happen to what is sent. */
  private expected = 0;
  /** The texts of statements that were prepared, by their names: sent once, they are meant each time after it. */
  private readonly prepared = new Map<string, string>();
  private readonly server = createServer((near) => this.accept(near));

  /** @param target where new connections lead. */
  constructor(private target: URL) {}

  /** The database's URL through this line. */
  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port } = this.server.address() as AddressInfo;
    return Object.assign(new URL(this.target), { hostname: '127.0.0.1', port: String(port) }).href;
  }

  /** Whether there is a connection. */
  get isUsed(): boolean {
    return this.sockets.size > 0;
  }

  /** Ends every connection (FIN), and each new one. */
  cut(): void {
    this.state = 'cut';
    for (const socket of this.sockets) socket.destroy();
  }

  /** Ends every connection as a host does that knows nothing of it (RST); new ones are taken. */
  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  silence(): void {
    this.state = 'silent';
    for (const socket of this.sockets) socket.pause();
    this.silent = new Set(this.servers);
  }

  /** Each connection is opened and ended with the same packet. */
  endEach(): void {
    this.state = 'ending';
  }

  /**
   * Works again for new connections; those from before stay silent, as after a lost route.
   * @throws Error when what was to happen to a statement never did.
   */
  restore(): void {
    const { expected } = this;
    this.state = 'open';
    this.watch = () => 'pass';
    this.expected = 0;
    if (expected > 0) throw new Error('The statement that something was to happen to was never sent.');
  }

  /** The server notices that those who stayed silent are gone. */
  bury(): void {
    for (const far of this.silent) far.destroy();
  }

  /** From now on new connections lead there. */
  redirect(target: URL): void {
    this.target = target;
  }

  /**
   * Ends the connection on which `text` is sent next: before it arrives, or when its answer does, with or without the
   * words of an administrator's end. Or has the server refuse it, which is for statements without parameters.
   */
  loseNext(what: Mishap, text: string, times = 1): void {
    this.expected = times;
    this.watch = (sent) => {
      if (this.expected === 0 || !sent.includes(text)) return 'pass';
      this.expected -= 1;
      return what;
    };
  }

  /** Does `work` before `text`, when it is sent next, is passed on. */
  beforeNext(text: string, work: () => Promise<unknown>): void {
    this.expected = 1;
    this.watch = (sent) => {
      if (!sent.includes(text)) return 'pass';
      this.watch = () => 'pass';
      this.expected = 0;
      return work().then(() => 'pass');
    };
  }

  /** Ends one in `every` connections whose answer is on its way. */
  loseAnswers(every: number): void {
    this.watch = () => (Math.random() * every < 1 ? 'lose-answer' : 'pass');
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private accept(near: Socket): void {
    this.hold(near);
    if (this.state === 'cut') near.destroy();
    if (this.state === 'cut' || this.state === 'silent') return;
    const far = connect(Number(this.target.port), this.target.hostname);
    this.hold(far);
    this.servers.add(far);
    let losesAnswer = false;
    let endsAnswer = false;
    near.on('data', (chunk: Buffer) => {
      const decision = this.watch(this.meant(chunk.toString('latin1')));
      if (decision === 'lose') far.destroy();
      losesAnswer ||= decision === 'lose-answer';
      endsAnswer ||= decision === 'end-answer';
      if (typeof decision === 'string') far.write(decision === 'refuse' ? REFUSED : chunk);
      else void decision.then(() => far.write(chunk));
    });
    far.on('data', (chunk: Buffer) => {
      const ends = this.state === 'ending' && chunk.subarray(-READY.length).equals(READY);
      if (losesAnswer) near.destroy();
      else if (endsAnswer) near.end(ENDED);
      else near.write(ends ? Buffer.concat([chunk, ENDED]) : chunk);
    });
    near.on('close', () => far.destroy());
    far.on('close', () => {
      this.servers.delete(far);
      if (!this.silent.has(far)) near.destroy();
    });
  }

  /** What is sent, with the texts of those prepared statements that it names. */
  private meant(sent: string): string {
    for (const [, name = '', text = ''] of sent.matchAll(PARSE)) this.prepared.set(name, text);
    const named = Array.from(sent.matchAll(BIND), ([, name = '']) => this.prepared.get(name) ?? '');
    return [sent, ...named].join('\n');
  }

  private hold(socket: Socket): void {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}
