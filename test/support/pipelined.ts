// Requests that arrive in the same moment: all in one packet, on one connection.
import { sendRaw } from './raw-request.js';
import type { Client, TestService } from './service.js';

export interface PipelinedRequest {
  method: 'GET' | 'POST' | 'PATCH';
  path: string;
  body?: object;
  /** Who asks, if not a key of every scope. */
  as?: Client;
  headers?: Record<string, string>;
}

export interface PipelinedAnswer {
  status: number;
  body: { data?: Record<string, unknown>; error?: { code: string; details?: unknown } };
}

/** Sends requests at once, and answers their answers in the same order. */
export async function pipeline(
  service: TestService,
  requests: readonly PipelinedRequest[],
): Promise<PipelinedAnswer[]> {
  // None of them shall have to wait for its key to be read.
  await service.api.get('/api/contacts?limit=1');
  const packet = requests.map((request, index) =>
    written(request.as ?? service.api, request, index === requests.length - 1),
  );
  const { headers, body } = await sendRaw(service.url, packet.join(''));
  return answersIn(`${headers}\r\n\r\n${body}`);
}

function written(client: Client, { method, path, body, headers }: PipelinedRequest, isLast: boolean): string {
  const text = body ? JSON.stringify(body) : '';
  const all = {
    host: 'localhost',
    ...client.credentials,
    ...headers,
    ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...(isLast && { connection: 'close' }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`;
}

/** Bodies are single lines of JSON, which hold no status line. */
function answersIn(text: string): PipelinedAnswer[] {
  return text.split(/(?=HTTP\/1\.1 \d{3} )/).map((answer) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), body: JSON.parse(body) as PipelinedAnswer['body'] };
  });
}

/** The error's code, or the status of what succeeded. */
export function outcome({ status, body }: PipelinedAnswer): string | number {
  return body.error?.code ?? status;
}
