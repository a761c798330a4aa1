// The client in examples/portal, served in development so that a sign-in has somewhere to lead.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { pageHeaders } from '../common/security-headers.js';
import { DEMO_PATH, type Env, publicUrlOf } from '../config/env.js';

const FOLDER = fileURLToPath(new URL('../../examples/portal', import.meta.url));

/** To a browser these are different sites, which share no cookie. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

const PAGE = pageHeaders({
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  // People's photographs are wherever their address says.
  'img-src': ['https:', 'data:'],
  'connect-src': ["'self'"],
});

/** Serves the demo at DEMO_PATH, if the examples are there. */
export async function servePortalDemo(app: NestFastifyApplication, env: Env): Promise<void> {
  if (!existsSync(FOLDER)) return;
  const home = new URL(publicUrlOf(env) + DEMO_PATH);
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  await fastify.register(async (demo) => {
    demo.addHook('onRequest', ({ hostname }, reply, done) => {
      void reply.headers(PAGE);
      // Links of mails lead to our own URL, so the cookies of a sign-in belong to its host.
      if (LOOPBACK.includes(hostname) && hostname !== home.hostname) void reply.redirect(home.href);
      else done();
    });
    await demo.register(fastifyStatic, {
      root: FOLDER,
      prefix: DEMO_PATH.slice(0, -1), // and what lacks the slash is led to it
      decorateReply: false,
      redirect: true,
      cacheControl: false,
    });
  });
}
