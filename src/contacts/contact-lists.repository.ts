// The SQL of lists of contacts. Every query takes the caller, so none can forget whose rows and fields it may touch.
import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/caller.js';
import { decodeCursor } from '../common/cursor.js';
import type { JsonText } from '../common/json-text.js';
import { listPage } from '../common/list.js';
import { type Server, Servers } from '../common/servers.js';
import { Params, type Queryable } from '../common/sql.js';
import { Products } from '../config/products.js';
import { chosenFields, contactJson } from './contact.fields.js';
import {
  AS_OF,
  type AsOf,
  type ReadingWay,
  asOfFold,
  isCountedOnce,
  isRemembered,
  isShort,
  isWhole,
  readIn,
  waysToRead,
} from './contact.list.js';
import { type ContactQuery, filterConditions, listOrder } from './contact.query.js';
import { type ListShape, shapeOf } from './list-shape.js';
import { RememberedTotals } from './remembered-totals.js';
import { rowsVisibleTo } from './visible-rows.js';

@Injectable()
export class ContactListsRepository {
  constructor(
    private readonly servers: Servers,
    private readonly products: Products,
    private readonly totals: RememberedTotals,
  ) {}

  /** One page of the contacts the caller sees, of those that pass the query's filters. */
  list(caller: Caller, query: ContactQuery): Promise<JsonText> {
    const shape = shapeOf(caller, query);
    const read = (server: Server): Promise<JsonText> => this.readList(caller, shape, server);
    return this.servers.read(caller, async (server) => {
      if (this.totals.recall(shape.key) || !isCountedOnce(shape)) return read(server);
      // By whom: a replica that falls silent is waited for by nobody whom the primary answers.
      const count = `${server.name} ${shape.key}`;
      // Not awaited for nothing: until then others would begin to count as well.
      const counted = this.totals.countUnderWay(count);
      if (counted) await counted;
      return this.totals.counting(count, () => read(server));
    });
  }

  /** By the first way that leads to the page. */
  private async readList(caller: Caller, shape: ListShape, server: Server): Promise<JsonText> {
    for (const way of waysToRead(shape, this.totals.recall(shape.key))) {
      const page = await this.readPage(caller, shape, server, way);
      if (page) return page;
    }
    throw new Error('Counting the matches always leads to a page.');
  }

  /** The page as it is read in this way; null where the way does not lead there. */
  private async readPage(
    caller: Caller,
    shape: ListShape,
    server: Server,
    way: ReadingWay,
  ): Promise<JsonText | null> {
    const { query, key } = shape;
    const { life } = this.totals;
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), ...filterConditions(query, params)];
    const order = listOrder(query);
    const cursor = decodeCursor(query.cursor, order);
    const remembers = isRemembered(way, shape);
    const reading = readIn(way, { shape, where, cursor }, params);
    const request = {
      ...reading,
      where,
      order,
      item: contactJson(chosenFields(query.fields, caller), this.products.names, params),
      page: query.page,
      limit: query.limit,
      cursor,
      also: remembers ? (this.servers.hasReplica ? asOfFold(where) : AS_OF) : undefined,
    };
    const answer = await listPage<AsOf>(connectionFor(shape, way, server), request, params);
    if (way.walkThrough !== undefined && !isWhole(answer, shape)) {
      // A later page asks for more documents, and says nothing of where the first matches lie.
      if (!cursor && query.page === 1) this.totals.markOld(key);
      return null;
    }
    const { page, total, also } = answer;
    if (total === null && way.total !== 'none') return null;
    // The statement may have been repeated, on a server that knows nothing of that snapshot.
    if (typeof way.total === 'object' && life !== this.totals.life) return null;
    if (remembers && total !== null) {
      const { as_of: asOf, fold, since } = also;
      const isWorthIt = asOf !== null && fold !== null;
      this.totals.remember(key, isWorthIt ? { total: total - (since ?? 0), asOf, fold } : null, life);
    }
    return page;
  }
}

/** Short reads together; searches, and what is within few, prepared; and whatever else is planned for its values. */
function connectionFor(shape: ListShape, way: ReadingWay, server: Server): Queryable {
  if (isShort(shape, way)) return server.reads;
  const { query, isWithinFew, isPlannedOnce } = shape;
  const isPrepared = query.search !== undefined || (isWithinFew && isPlannedOnce);
  return isPrepared ? server.prepared : server.planned;
}
