// One page of a filtered, sorted list with its exact total, from one statement and so from one snapshot.
import { type Cursor, encodeCursor } from './cursor.js';
import { JsonText } from './json-text.js';
import type { Order } from './order.js';
import type { Params, Queryable } from './sql.js';

export interface ListRequest {
  /** FROM clause, without its keyword, of what `where` and `order` speak of. */
  readonly rows: string;
  /** The rows' id, such as `c.id`. */
  readonly id: string;
  readonly where: readonly string[];
  readonly order: Order;
  /**
   * Joins that lead from `page.id` to what `item` speaks of: made for the rows of the page alone. Or from `rows` themselves,
   * if the list is `readInPlace`.
   */
  readonly items: string;
  /**
   * The items are made of the rows as they are found: where an index finds them in their order, and none is skipped, which
   * an index alone does faster.
   */
  readonly readInPlace?: boolean;
  /** Expression of one item, a JSON object. */
  readonly item: string;
  readonly page: number;
  readonly limit: number;
  /** Null starts a cursor walk, undefined asks for a numbered page. */
  readonly cursor?: Cursor | null;
  /** Reads all that matches before it picks the page: for conditions of which the planner cannot tell how rare they are. */
  readonly inOnePass?: boolean;
  readonly total: Total;
  /** Where a numbered page begins, if that is known better than by counting from the first row. */
  readonly start?: PageStart;
  /** Further columns of the whole list, which may speak of its `total`, for the one who asks. */
  readonly also?: string;
}

/** Left out, counted, or had from a SELECT of one value, which may be null. */
export type Total = 'none' | 'counted' | { readonly select: string };

export interface PageStart {
  /** FROM clause, without its keyword, of the one row that `where` and `skip` know as `start`. */
  readonly from: string;
  readonly where: string;
  readonly skip: string;
}

export interface ListAnswer<Also = unknown> {
  /** A Page, with `next_cursor` in a cursor walk. */
  readonly page: JsonText;
  /** Null when there was none to be had, or none was asked for. */
  readonly total: number | null;
  /** Number of items. */
  readonly shown: number;
  readonly hasMore: boolean;
  readonly also: Also;
}

/** The one row that the statement answers. */
interface Row {
  total: number | null;
  /** The items with commas between them; null for none. */
  items: string | null;
  shown: number;
  has_more: boolean;
  /** Sort keys of the last item of a full page. */
  last: string[] | null;
  /** The id of the row that comes first, where a walk begins with one. */
  first?: string | null;
}

/** Runs the list; `params` already holds what the parts of the request refer to. */
export async function listPage<Also = unknown>(
  db: Queryable,
  request: ListRequest,
  params: Params,
): Promise<ListAnswer<Also>> {
  const { order, page, limit, cursor } = request;
  const [row] = (await db.query(listStatement(request, params), params.values)) as [Row & Also];
  const { total, shown, has_more: hasMore } = row;
  const next =
    hasMore && row.last ? `"${encodeCursor(order, cursorAfter(request, row.last, row.first))}"` : null;
  const text =
    `{"items":[${row.items ?? ''}]` +
    (request.total === 'none' ? '' : `,"total":${total}`) +
    `,"page":${page},"limit":${limit},"hasMore":${hasMore}` +
    (cursor === undefined ? '}' : `,"next_cursor":${next}}`);
  return { page: new JsonText(text), total, shown, hasMore, also: row };
}

/** The place after the last item of a page. */
function cursorAfter({ order, cursor }: ListRequest, last: readonly string[], first: Row['first']): Cursor {
  return order.first ? { keys: last.slice(1), first: cursor?.first ?? first ?? '' } : { keys: last };
}

function listStatement(request: ListRequest, params: Params): string {
  const { rows, id, where, order, items, readInPlace, page, limit, cursor, inOnePass, total, start, also } =
    request;
  const keys = sortKeys(request, params);
  const names = keys.map((_key, index) => `key${index}`);
  const inOrder = names.map((name) => `${name} ${order.descending ? 'DESC' : 'ASC'}`).join(', ');
  const after = (columns: string[]): string[] =>
    cursor ? [keysetCondition(order, columns, cursor, params)] : [];
  const item = `${request.item}::text AS item`;
  const found = [`${id} AS id`, ...keys.map((key, index) => `${key} AS ${names[index]}`)];
  const keyed = readInPlace
    ? `SELECT ${[...found, item].join(', ')} FROM ${rows} ${items}`
    : `SELECT ${found.join(', ')} FROM ${rows}`;
  const hits = `hits AS MATERIALIZED (${keyed} ${matching(where)}),`;
  const paged = inOnePass
    ? `SELECT * FROM hits ${matching(after(names))}`
    : `${keyed} ${matching([...where, ...after(keys), ...(start ? [start.where] : [])])}`;
  const isFirst = page === 1 || cursor !== undefined;
  const skip = start?.skip ?? (isFirst ? '0' : `${params.add((page - 1) * limit)}::bigint`);
  const last =
    cursor === undefined ? 'NULL' : `max(${lastKeys(order, names)}) FILTER (WHERE place = ${limit})`;
  const first =
    order.first && cursor === null
      ? `, max(${names.at(-1)}) FILTER (WHERE ${names[0]} = ${rank(order, true)}) AS first`
      : '';
  // Without the OFFSET 0 that follows it, the total would be had once for each mention of it.
  const counted = `SELECT ${totalOf(total, inOnePass ? 'FROM hits' : `FROM ${rows} ${matching(where)}`)} AS total`;
  // One row more than asked for tells whether there is a next page. The limit is no parameter, for the planner has
  // to know that a page is small, and neither is no offset: it takes one that it does not know for a deep one. What
  // an item needs beyond order and filter is read for the page's rows alone, or with them. The items come as one text: rows
  // would each cost the driver more than their JSON costs PostgreSQL. It is put together in the order of the keys, not of the
  // places, for PostgreSQL 16 sees that they come in it.
  return `
    WITH ${start ? `start AS MATERIALIZED (SELECT * FROM ${start.from}),` : ''}
    ${inOnePass ? hits : ''}
    page AS (
      ${paged}
      ORDER BY ${inOrder} LIMIT ${limit + 1} OFFSET ${skip}
    ), listed AS (
      SELECT ${names.join(', ')}, row_number() OVER (ORDER BY ${inOrder}) AS place, ${readInPlace ? 'item' : item}
      FROM page ${readInPlace ? '' : items}
    )
    SELECT * FROM (
      SELECT string_agg(item, ',' ORDER BY ${inOrder}) FILTER (WHERE place <= ${limit}) AS items,
        LEAST(count(*), ${limit})::int AS shown, count(*) > ${limit} AS has_more, ${last} AS last${first}
      FROM listed
    ) AS listing
    CROSS JOIN (${also ? `SELECT total, ${also} FROM (${counted} OFFSET 0) AS counted` : counted}) AS whole`;
}

const matching = (conditions: readonly string[]): string =>
  conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';

function totalOf(total: Total, matches: string): string {
  if (total === 'none') return 'NULL';
  if (total === 'counted') return `(SELECT count(*) ${matches})::float8`;
  return `(${total.select})::float8`;
}

/** The order's expressions, most significant first; all run in the order's direction, so a row compares as one. */
function sortKeys({ order, id, cursor }: ListRequest, params: Params): string[] {
  const { sort, first } = order;
  if (!first) return [sort.expression, id];
  // What holds of a row may change in the midst of a walk, but not which row it began with.
  const isFirst = cursor ? `${id} = ${params.add(cursor.first)}` : first(params);
  return [
    `(CASE WHEN ${isFirst} THEN ${rank(order, true)} ELSE ${rank(order, false)} END)`,
    sort.expression,
    id,
  ];
}

/** The sort key that puts a row before all others, or among them. */
const rank = ({ descending }: Order, isFirst: boolean): 0 | 1 => (isFirst === descending ? 1 : 0);

/** An array of the keys as texts. Times in UTC: the session's time zone may once have been off by seconds. */
function lastKeys({ sort }: Order, names: readonly string[]): string {
  const texts = names.map((name, index) =>
    sort.type === 'timestamptz' && index === names.length - 2
      ? `(${name} AT TIME ZONE 'UTC')::text || '+00'`
      : `${name}::text`,
  );
  return `ARRAY[${texts.join(', ')}]`;
}

function keysetCondition(order: Order, columns: string[], { keys, first }: Cursor, params: Params): string {
  const [key, id] = keys;
  const values = [`${params.add(key)}::${order.sort.type}`, `${params.add(id)}::text`];
  if (order.first) values.unshift(String(rank(order, first === id)));
  return `(${columns.join(', ')}) ${order.descending ? '<' : '>'} (${values.join(', ')})`;
}
