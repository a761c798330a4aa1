// Sends bytes that no HTTP client would send, or as slowly as none would, and reads until the server hangs up.
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: string;
  body: string;
}

/** `request` should make the server close the connection: by being broken, or by `Connection: close`. */
export async function sendRaw(url: string, request: string | Buffer): Promise<RawAnswer> {
  const socket = open(url);
  socket.write(request);
  return answerOn(socket);
}

/** Sends `head` at once, then `rest` again and again, a byte every 50 ms, until the server hangs up. */
export async function dribble(url: string, head: string, rest: string): Promise<RawAnswer> {
  const socket = open(url);
  socket.write(head);
  let sent = 0;
  const drip = setInterval(() => rest && socket.write(rest.charAt(sent++ % rest.length)), 50);
  return answerOn(socket).finally(() => clearInterval(drip));
}

/** A connection that stays open, whatever becomes of it. */
export function open(url: string): Socket {
  const { hostname, port } = new URL(url);
  // A server that refuses early resets what is still being sent.
  return connect(Number(port), hostname).on('error', () => undefined);
}

async function answerOn(socket: Socket): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), headers: head, body: rest.join('\r\n\r\n') };
}
