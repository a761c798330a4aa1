// What every answer tells browsers: it is nobody's page, script or frame, unless a page says what it is made of.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';

export type Headers = Readonly<Record<string, string>>;

/** Directives of a Content-Security-Policy and their sources. */
type Directives = Readonly<Record<string, readonly string[]>>;

const NOTHING: Directives = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/**
 * The headers of answers that are no pages, made once: helmet writes the same for every request, and answers that no
 * hook sees need them, too. `overHttps` is whether browsers reach us by https.
 */
export function securityHeaders(overHttps: boolean): Headers {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const write = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
    xFrameOptions: { action: 'deny' },
    // Subdomains are for whoever runs them.
    strictTransportSecurity: overHttps && { includeSubDomains: false },
    // Of no use to JSON, or to browsers of our days.
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
  write(response.req, response, () => undefined);
  // Routes whose answers may be kept say so.
  return { ...(response.getHeaders() as Headers), 'cache-control': 'no-store' };
}

/** The headers of a page that may use what `allowed` names, and nothing else. */
export function pageHeaders(allowed: Directives): Headers {
  const directives = Object.entries({ ...NOTHING, ...allowed });
  const policy = directives.map(([name, sources]) => `${name} ${sources.join(' ')}`).join(';');
  return { 'content-security-policy': policy };
}

/** Sends `headers` with the answers of all routes below `path`; to be called before they are added. */
export function addHeadersBelow(fastify: FastifyInstance, path: string, headers: Headers): void {
  fastify.addHook('onRoute', (route) => {
    if (!route.url.startsWith(path)) return;
    route.onRequest = [route.onRequest ?? []].flat().concat((_request, reply, done) => {
      void reply.headers(headers);
      done();
    });
  });
}
