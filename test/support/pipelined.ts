// Requests that arrive in the same moment: all in one packet, on one connection.
import { ApiKeysService } from '../../src/auth/api-keys.service.js';
import { OPERATOR } from '../../src/auth/caller.js';
import { sendRaw } from './raw-request.js';
import type { TestService } from './service.js';

export interface PipelinedRequest {
  method: 'POST' | 'PATCH';
  path: string;
  body: object;
}

export interface PipelinedAnswer {
  status: number;
  body: { data?: Record<string, unknown>; error?: { code: string; details?: unknown } };
}

/** Sends requests at once, and answers their answers in the same order. */
export type Pipeline = (requests: readonly PipelinedRequest[]) => Promise<PipelinedAnswer[]>;

/** With a key that the service knows by now: none of the requests has to wait for it to be read. */
export async function pipelineOf(service: TestService): Promise<Pipeline> {
  const scopes = ['contacts:read' as const, 'contacts:write' as const];
  const { key } = await service.app.get(ApiKeysService).create(OPERATOR, { name: 'pipeline', scopes });
  const remember = () => service.as({ 'x-sm-key': key }).get('/api/contacts?limit=1');
  return async (requests) => {
    await remember();
    const sent = requests.map(({ method, path, body }, index) => {
      const text = JSON.stringify(body);
      const last = index === requests.length - 1 ? 'Connection: close\r\n' : '';
      return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nX-SM-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n${last}\r\n${text}`;
    });
    const { headers, body } = await sendRaw(service.url, sent.join(''));
    return answersIn(`${headers}\r\n\r\n${body}`);
  };
}

/** Bodies here are single lines of JSON, so that the next status line follows each. */
function answersIn(text: string): PipelinedAnswer[] {
  return text.split(/(?=HTTP\/1\.1 \d{3} )/).map((answer) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), body: JSON.parse(body) as PipelinedAnswer['body'] };
  });
}
