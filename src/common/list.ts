// One page of a filtered, sorted list with its exact total, from one statement and so from one snapshot.
import { type Cursor, encodeCursor } from './cursor.js';
import type { Order } from './order.js';
import type { Page } from './page.js';
import type { Params, Queryable } from './sql.js';

export interface ListRequest {
  /** FROM clause without its keyword. */
  readonly from: string;
  /** The table's alias and id, such as `c.id`. */
  readonly id: string;
  readonly where: readonly string[];
  readonly order: Order;
  /** Expression of one item, a JSON object. */
  readonly item: string;
  readonly page: number;
  readonly limit: number;
  readonly withTotal: boolean;
  /** Null starts a cursor walk, undefined asks for a numbered page. */
  readonly cursor?: Cursor | null;
}

interface ListRow<Item> {
  total: number | null;
  items: Item[] | null;
  keys: string[][] | null;
}

/** Runs the list; `params` already holds what `where` and `item` refer to. */
export async function listPage<Item>(
  db: Queryable,
  request: ListRequest,
  params: Params,
): Promise<Page<Item> & { next_cursor?: string | null }> {
  const { order, page, limit, withTotal, cursor } = request;
  const [row] = await db.query<ListRow<Item>[]>(listStatement(request, params), params.values);
  const items = row?.items ?? [];
  const hasMore = items.length > limit;
  const result = {
    items: items.slice(0, limit),
    ...(withTotal && { total: row?.total ?? 0 }),
    page,
    limit,
    hasMore,
  };
  if (cursor === undefined) return result;
  const last = row?.keys?.[limit - 1];
  return { ...result, next_cursor: hasMore && last ? encodeCursor(order.name, last) : null };
}

function listStatement(request: ListRequest, params: Params): string {
  const { from, id, where, order, item, page, limit, withTotal, cursor } = request;
  const direction = order.descending ? 'DESC' : 'ASC';
  const keys = sortKeys(order, id);
  const matching = where.length > 0 ? `WHERE ${where.join(' AND ')}` : '';
  const after = cursor ? [...where, keysetCondition(order, keys, cursor, params)] : where;
  const paged = after.length > 0 ? `WHERE ${after.join(' AND ')}` : '';
  const skip = cursor === undefined ? (page - 1) * limit : 0;
  // One row more than asked for tells whether there is a next page. json_agg keeps the order of its input.
  return `
    WITH page AS (
      SELECT ${item} AS item${cursor === undefined ? '' : `, ARRAY[${keys.map((key) => `(${key})::text`).join(', ')}] AS key`}
      FROM ${from} ${paged}
      ORDER BY ${keys.map((key) => `${key} ${direction}`).join(', ')}
      LIMIT ${params.add(limit + 1)} OFFSET ${params.add(skip)}
    )
    SELECT ${withTotal ? `(SELECT count(*) FROM ${from} ${matching})::float8` : 'NULL'} AS total,
      json_agg(item) AS items${cursor === undefined ? '' : ', array_agg(key) AS keys'}
    FROM page`;
}

/** The order's expressions, most significant first; all run in the order's direction, so a row compares as one. */
function sortKeys({ sort, descending, first }: Order, id: string): string[] {
  const rank = first
    ? [`(CASE WHEN ${first} THEN ${descending ? 1 : 0} ELSE ${descending ? 0 : 1} END)`]
    : [];
  return [...rank, sort.expression, id];
}

function keysetCondition(order: Order, keys: string[], cursor: Cursor, params: Params): string {
  const types = [...(order.first ? ['int'] : []), order.sort.type, 'text'];
  const values = cursor.keys.map((value, index) => `${params.add(value)}::${types[index]}`);
  return `(${keys.join(', ')}) ${order.descending ? '<' : '>'} (${values.join(', ')})`;
}
