// Pages: the query parameters every list shares, and the envelope of every answer.
import { JsonText } from './json-text.js';
import { IntegerParam } from './params.js';

export class PageQuery {
  @IntegerParam({ min: 1, max: 2_147_483_647, default: 1, description: 'Page number, from 1.' })
  page = 1;

  @IntegerParam({ min: 1, max: 100, default: 25, description: 'Items per page.' })
  limit = 25;
}

/** The success envelope. */
export interface Ok<Data> {
  ok: true;
  data: Data;
}

export function ok(data: JsonText): JsonText;
export function ok<Data>(data: Data): Ok<Data>;
export function ok(data: unknown): unknown {
  return data instanceof JsonText ? new JsonText(`{"ok":true,"data":${data.text}}`) : { ok: true, data };
}
