// Where connections come in, and how that ends.
import { once } from 'node:events';
import { type Server, createServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/**
 * Node lets in one connection per turn of its event loop and listener. A busy process makes few turns: a crowd of a
 * thousand would wait for seconds, just to be told that it is too much. So there are several listeners on the port,
 * where Linux deals connections out among them.
 */
const DOORS = process.platform === 'linux' ? 32 : 1;
/** Turns of the event loop that are given to whoever waits to be let in. */
const TURNS = 1_000;

interface Where {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** How many connections may wait to be let in, at each listener. */
  readonly backlog?: number;
}

export class Doors {
  private constructor(private readonly all: readonly [Server, ...Server[]]) {}

  /** @throws Error with code EADDRINUSE when another program listens there, be it another copy of this one. */
  static async open(app: NestFastifyApplication, where: Where): Promise<Doors> {
    // Two that are willing to share would both be let: somebody who is not willing asks first.
    await closed(await listener(where));
    const sharing = { ...where, reusePort: DOORS > 1 };
    await app.listen(sharing);
    const server: Server = app.getHttpServer();
    const { port } = server.address() as { port: number };
    const others: Server[] = [];
    while (others.length < DOORS - 1) {
      const other = await listener({ ...sharing, port }).catch(() => null);
      if (!other) break;
      others.push(other.on('connection', (socket) => server.emit('connection', socket)));
    }
    const logger = new Logger(Doors.name);
    // Unheard, it would end the process.
    for (const door of [server, ...others])
      door.on('error', (error) => logger.error(`Could not let a connection in: ${error.message}`));
    return new Doors([server, ...others]);
  }

  /**
   * Stops listening at a moment when nobody waits to be let in. The system cuts off those who do, and a balancer that
   * does not ask for readiness may have sent them a request already, which it must not send again.
   * @returns what resolves when the last connection has ended.
   */
  async close(): Promise<{ empty: Promise<unknown> }> {
    let hasCome = false;
    this.all[0].on('connection', () => (hasCome = true));
    for (let count = 0; count < TURNS; count += 1) {
      hasCome = false;
      const begun = performance.now();
      await turn();
      if (!hasCome && performance.now() - begun < 1) break;
    }
    return { empty: Promise.all(this.all.map(closed)) };
  }
}

async function listener(where: Where): Promise<Server> {
  const server = createServer({ noDelay: true }).listen(where);
  await once(server, 'listening');
  return server;
}

async function closed(server: Server): Promise<void> {
  const end = once(server, 'close');
  server.close();
  await end;
}
