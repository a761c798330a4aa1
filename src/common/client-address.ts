// The address a request came from: the connection's, or what a configured proxy says of it.
import { isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

type Sender = Pick<FastifyRequest, 'ip' | 'socket'>;

/** The address as PostgreSQL understands it; the proxy's own where that says nothing of the kind, such as "unknown". */
export function clientAddress({ ip, socket }: Sender): string {
  return plain(ip) ?? plain(socket.remoteAddress ?? '') ?? '0.0.0.0';
}

/** What is said of the client, and nothing in its place: what lets in whoever comes from a network goes by this. */
export function statedAddress({ ip }: Sender): string {
  return plain(ip) ?? ip;
}

/** Without the port that some proxies add, and the zone of a link-local address; null for what is no address. */
function plain(text: string): string | null {
  // As most are: for these alone, what follows would be a fiftieth of a request.
  if (isIPv4(text)) return text;
  const [, address = text] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [];
  if (!ipaddr.isValid(address)) return null;
  const parsed = ipaddr.process(address);
  if ('zoneId' in parsed) parsed.zoneId = undefined;
  return parsed.toString();
}
