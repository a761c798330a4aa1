// Where connections come in, and how that ends.
import { once } from 'node:events';
import { type ListenOptions, type Server, createServer } from 'node:net';
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
/** In bytes: what the system has room for. */
const LONGEST_SOCKET_NAME = 107;

interface Where {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** How many connections may wait to be let in, at each listener. */
  readonly backlog?: number;
}

export class Doors {
  private constructor(
    private readonly all: readonly [Server, ...Server[]],
    private readonly claim: Server | null,
  ) {}

  /** @throws Error with code EADDRINUSE when another program listens there, be it another copy of this one. */
  static async open(
    app: Pick<NestFastifyApplication, 'listen' | 'getHttpServer'>,
    where: Where,
  ): Promise<Doors> {
    const claim = DOORS > 1 && where.port > 0 ? await claimPort(where) : null;
    try {
      return new Doors(await openAll(app, where), claim);
    } catch (error) {
      claim?.close();
      throw error;
    }
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
    this.claim?.close();
    return { empty: Promise.all(this.all.map(closed)) };
  }
}

async function openAll(
  app: Pick<NestFastifyApplication, 'listen' | 'getHttpServer'>,
  where: Where,
): Promise<[Server, ...Server[]]> {
  // Whoever is willing to share is let in beside another program that is willing: somebody who is not asks first.
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
  return [server, ...others];
}

/**
 * Two copies of the service that start at the same moment could each ask before the other listens, and both be let
 * in. A socket in Linux's abstract namespace is had by one only, reaches no further than the port does (its network
 * namespace), and is gone with its process.
 */
async function claimPort({ host, port }: Where): Promise<Server | null> {
  const path = `\0contacts:${port}:${host}`.slice(0, LONGEST_SOCKET_NAME);
  try {
    const claim = await listener({ path });
    return claim.on('connection', (socket) => socket.destroy()).unref();
  } catch (error) {
    // Where a program may have no such sockets, a moment is all that is not guarded.
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return null;
    throw Object.assign(error as Error, { port });
  }
}

async function listener(where: ListenOptions & { reusePort?: boolean }): Promise<Server> {
  const server = createServer({ noDelay: true }).listen(where);
  await once(server, 'listening');
  return server;
}

async function closed(server: Server): Promise<void> {
  const end = once(server, 'close');
  server.close();
  await end;
}
