// What a client sees of a PostgreSQL that is coming up: refusals, then the real one at the same address.
import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';

export class StartingServer {
  private readonly sockets = new Set<Socket>();
  private refusal: Buffer | null;
  private readonly server = createServer((near) => this.accept(near));
  /** Connections refused so far. */
  refused = 0;

  private constructor(
    private readonly target: URL,
    code: string,
    message: string,
  ) {
    this.refusal = errorResponse(code, message);
  }

  /** Refuses with this SQLSTATE until `ready`, then forwards to the server of `url`. */
  static async before(url: string, code: string, message: string): Promise<StartingServer> {
    const server = new StartingServer(new URL(url), code, message);
    await once(server.server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  /** The database's URL by way of this server. */
  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('It does not listen.');
    return Object.assign(new URL(this.target), { hostname: '127.0.0.1', port: String(address.port) }).href;
  }

  ready(): void {
    this.refusal = null;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(near: Socket): void {
    this.hold(near);
    const { refusal } = this;
    if (refusal) {
      this.refused += 1;
      near.once('data', () => near.end(refusal));
      return;
    }
    const far = connect(Number(this.target.port), this.target.hostname);
    this.hold(far);
    near.pipe(far).pipe(near);
  }

  private hold(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.sockets.delete(socket));
  }
}

/** An ErrorResponse of the protocol: fields that end in NUL, then a NUL. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
