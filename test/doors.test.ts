// Where connections come in: a crowd is let in by a busy process, and nobody else's port is shared.
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApp } from '../src/app.setup.js';
import { loadEnv } from '../src/config/env.js';
import { Doors } from '../src/doors.js';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { runEntry } from './support/process.js';
import { TEST_SECRET } from './support/service.js';

let database: TestDatabase;
let app: NestFastifyApplication;
let server: Server;
let doors: Doors;
let port: number;
beforeAll(async () => {
  database = await createTestDatabase();
  app = await createApp(loadEnv({ NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_URL: database.url }));
  doors = await Doors.open(app, { host: '127.0.0.1', port: 0 });
  server = app.getHttpServer();
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

// Elsewhere there is one listener, which lets in one.
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('several connections are let in at one turn of the event loop', async () => {
  const CROWD = 64;
  let now = 0;
  const turns: number[] = [];
  server.on('connection', () => turns.push(now));
  // The system has let them all in before this process looks.
  const sockets = Array.from({ length: CROWD }, () => connect(port, '127.0.0.1'));
  for (; turns.length < CROWD; now += 1) await turn();
  for (const socket of sockets) socket.destroy();
  expect(new Set(turns).size).toBeLessThan(CROWD);
});

test('a request is answered whichever of them lets it in', async () => {
  const ask = async (): Promise<number> => {
    const headers = { connection: 'close' };
    return (await fetch(`http://127.0.0.1:${port}/health/live`, { headers })).status;
  };
  expect(new Set(await Promise.all(Array.from({ length: 64 }, ask)))).toEqual(new Set([200]));
});

test('another copy of the service does not share the port, and says who has it', async () => {
  const { code, stderr } = await runEntry('main', [], { PORT: String(port), DATABASE_URL: database.url });
  expect(code).toBe(1);
  expect(stderr).toContain(
    `Port ${port} is taken by another program. Set PORT to a free one, e.g. PORT=3001.`,
  );
});

test.each(['203.0.113.7', 'no-such-host.invalid'])(
  'an address that is not this machine’s, %s, is said to be none',
  async (host) => {
    const settings = { HOST: host, PORT: '0', DATABASE_URL: database.url, PORTAL_SECRET: TEST_SECRET };
    const { code, stderr } = await runEntry('main', [], settings);
    expect(code).toBe(1);
    expect(stderr).toContain(`This machine has no address ${host} to listen on. Set HOST to one of its own`);
  },
);

onLinux('of copies that start at the same moment, one opens', async () => {
  // As far apart as would let one ask before the other listens, too.
  for (let turns = 0; turns < 8; turns += 1) {
    const free = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const { port: found } = probe.address() as AddressInfo;
        probe.close(() => resolve(found));
      });
    });
    const starts: Promise<Doors>[] = [];
    for (let copy = 0; copy < 4; copy += 1) {
      starts.push(Doors.open(listeningOnly(), { host: '127.0.0.1', port: free }));
      for (let count = 0; count < turns; count += 1) await turn();
    }
    const ends = await Promise.allSettled(starts);
    for (const end of ends) if (end.status === 'fulfilled') await (await end.value.close()).empty;
    const failed = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(failed).toHaveLength(starts.length - 1);
    for (const reason of failed) expect(reason).toMatchObject({ code: 'EADDRINUSE', port: free });
  }
});

test('closed, nobody is let in by any of them, and who is inside may stay', async () => {
  const inside = connect(port, '127.0.0.1');
  await once(inside, 'connect');
  const { empty } = await doors.close();
  for (let count = 0; count < 64; count += 1) {
    const [error] = await once(connect(port, '127.0.0.1'), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  }
  inside.write('GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(inside, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  await empty;
});

/** What is left of a service that only listens. */
function listeningOnly(): Parameters<typeof Doors.open>[0] {
  const http = createServer();
  const listen = async (where: unknown): Promise<void> => {
    // A service has much to do before.
    for (let count = 0; count < 8; count += 1) await turn();
    http.listen(where as object);
    await once(http, 'listening');
  };
  return { listen, getHttpServer: () => http } as unknown as Parameters<typeof Doors.open>[0];
}
