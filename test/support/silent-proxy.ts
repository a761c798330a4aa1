// A TCP proxy that can fall silent: connections stay open and nothing passes, as behind a dead switch.
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

export class SilentProxy {
  private readonly sockets = new Set<Socket>();
  private silent = false;
  private unanswered?: string;

  private constructor(private readonly server: Server) {}

  /** Forwards a free port of this machine to the host and port of `url`. */
  static async to(url: string): Promise<SilentProxy> {
    const { hostname, port } = new URL(url);
    const server = createServer((near) => proxy.join(near, connect(Number(port), hostname)));
    const proxy = new SilentProxy(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** `url` by way of this proxy. */
  through(url: string): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
    return Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(address.port) }).href;
  }

  /** From now on nothing passes, in connections old and new. */
  fallSilent(): void {
    this.silent = true;
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** Nothing more comes back to a connection that sends this text; the text arrives. */
  loseAnswersTo(text: string): void {
    this.unanswered = text;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Cuts every connection and refuses new ones, as where nobody listens; answers what ends that. */
  goDown(): () => Promise<void> {
    const { port } = this.server.address() as AddressInfo;
    this.close();
    return async () => void (await once(this.server.listen(port, '127.0.0.1'), 'listening'));
  }

  private join(near: Socket, far: Socket): void {
    near.on('data', (sent: Buffer) => {
      if (this.unanswered && sent.includes(this.unanswered)) far.unpipe().resume();
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      if (!this.silent) from.pipe(to);
    }
  }
}
