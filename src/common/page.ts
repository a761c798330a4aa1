// Pages: the query parameters every list shares and the shape every list answers.
import { IntegerParam } from './params.js';

export class PageQuery {
  @IntegerParam({ min: 1, max: 2_147_483_647, default: 1, description: 'Page number, from 1.' })
  page = 1;

  @IntegerParam({ min: 1, max: 100, default: 25, description: 'Items per page.' })
  limit = 25;
}

/** One page of a list; `total` is exact, and left out when the caller asked for that. */
export interface Page<Item> {
  items: Item[];
  total?: number;
  page: number;
  limit: number;
  hasMore: boolean;
}

/** The success envelope. */
export interface Ok<Data> {
  ok: true;
  data: Data;
}

export function ok<Data>(data: Data): Ok<Data> {
  return { ok: true, data };
}
