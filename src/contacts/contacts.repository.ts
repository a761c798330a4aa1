// All SQL on contacts. Every query takes the caller, so none can forget whose rows and fields it may touch.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller, PortalCaller } from '../auth/caller.js';
import { BatchedWrites, givenRows, givenValues } from '../common/batched-writes.js';
import { decodeCursor } from '../common/cursor.js';
import { JsonText } from '../common/json-text.js';
import { listPage } from '../common/list.js';
import { PreparedPool } from '../common/prepared-pool.js';
import { Reads } from '../common/reads.js';
import { type Server, Servers } from '../common/servers.js';
import { Params, type Queryable, type Transactional, assignments, columnsOf, quoted } from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import { Products } from '../config/products.js';
import type { CreatedContact } from './contact.dto.js';
import type { PortalAccess } from './portal-access.js';
import type { Contact } from './contact.entity.js';
import { chosenFields, contactJson, visibleFields } from './contact.fields.js';
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

const CONTACT_AND_COMPANY = 'contact c LEFT JOIN company co ON co.id = c.company_id';

/** What is read of a contact; its detail is text. */
type ContactRow = PortalAccess & { id: string; text: string };

/** A contact as its caller sees it, and the access it has. */
interface FoundContact extends PortalAccess {
  /** A ContactDetail, or a PortalContact. */
  readonly detail: JsonText;
}

@Injectable()
export class ContactsRepository {
  private readonly details = new Map<Caller['kind'], string>();

  constructor(
    private readonly db: DataSource,
    private readonly reads: Reads,
    private readonly prepared: PreparedPool,
    private readonly batched: BatchedWrites,
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
      // Not awaited for nothing: until then others would begin to count as well.
      const counted = this.totals.countUnderWay(shape.key);
      if (counted) await counted;
      return this.totals.counting(shape.key, () => read(server));
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
    const order = listOrder(query, params);
    const cursor = decodeCursor(query.cursor, order);
    const remembers = isRemembered(way, shape);
    const reading = readIn(way, { shape, where, cursor }, params);
    const request = {
      ...reading,
      where,
      order,
      items: `${reading.items} LEFT JOIN company co ON co.id = c.company_id`,
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

  /** The contact with the fields the caller sees, or null, to be shown and not to be decided by. */
  show(caller: Caller, id: string): Promise<FoundContact | null> {
    const { statement, others } = this.byIds(caller);
    return this.servers.read(caller, async ({ reads }) => asFound(await reads.byId(statement, id, others)));
  }

  /** The contact with the fields the caller sees, or null; `lock` keeps it unchanged until the transaction ends. */
  async findById(
    caller: Caller,
    id: string,
    { db = this.reads, lock = false }: { db?: Queryable; lock?: boolean } = {},
  ): Promise<FoundContact | null> {
    const { statement, others } = this.byIds(caller);
    const text = lock ? `${statement} FOR UPDATE OF c` : statement;
    return asFound((await db.query<ContactRow[]>(text, [[id], ...others]))[0] ?? null);
  }

  /** Reads the contacts of these ids, its $1, that the caller sees. */
  private byIds(caller: Caller): { statement: string; others: unknown[] } {
    const { names } = this.products;
    const params = new Params([[], names]);
    const where = ['c.id = ANY ($1)', ...rowsVisibleTo(caller, params)].join(' AND ');
    const statement = `SELECT c.id, ${this.detailFor(caller)}::text AS text, c.portal_access, c.portal_role, c.email, c.company_id
       FROM ${CONTACT_AND_COMPANY} WHERE ${where}`;
    return { statement, others: params.values.slice(1) };
  }

  /** The SQL of a whole contact, put together once for each kind of caller; the product names are its $2. */
  private detailFor(caller: Caller): string {
    const known = this.details.get(caller.kind);
    if (known) return known;
    const detail = contactJson(visibleFields(caller), this.products.names, new Params([[]]));
    this.details.set(caller.kind, detail);
    return detail;
  }

  /** The id of the contact with this canonical e-mail among those the caller sees, or null. */
  async findIdByEmail(caller: Caller, email: string, db: Queryable = this.db): Promise<string | null> {
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), `c.email = ${params.add(email)}`].join(' AND ');
    const rows = await db.query<{ id: string }[]>(`SELECT c.id FROM contact c WHERE ${where}`, params.values);
    return rows[0]?.id ?? null;
  }

  /** Inserts a contact, a portal user's always into its own company; null when the id is taken already. */
  async insert(
    caller: Caller,
    contact: Partial<Contact> & { id: string },
    db?: Queryable,
  ): Promise<(CreatedContact & PortalAccess) | null> {
    const row = caller.kind === 'key' ? contact : { ...contact, company_id: caller.companyId };
    const columns = quoted(columnsOf(row));
    const insert = (conflict: '' | '(id) '): string => `INSERT INTO contact (${columns})
      SELECT ${columns} FROM ${givenRows('contact')}
      ON CONFLICT ${conflict}DO NOTHING RETURNING id, full_name, email, company_id, portal_access, portal_role`;
    // Among others it does nothing where its address is taken, and is told so by itself.
    const inserted = db ? null : await this.batched.write<CreatedContact & PortalAccess>(insert(''), row);
    if (inserted) return inserted;
    const rows = await (db ?? this.prepared).query<(CreatedContact & PortalAccess)[]>(
      insert('(id) '),
      givenValues([row]),
    );
    return rows[0] ?? null;
  }

  /** Changes a contact the caller sees and answers what decides its access then; null when there is none. */
  async update(
    caller: Caller,
    id: string,
    changes: Partial<Contact>,
    db?: Queryable,
  ): Promise<PortalAccess | null> {
    const row = { id, ...changes };
    const params = new Params(givenValues([row]));
    const where = ['c.id = given.id', ...rowsVisibleTo(caller, params)].join(' AND ');
    const statement = `WITH changed AS (
        UPDATE contact c SET ${assignments(columnsOf(changes), (column) => `given."${column}"`)}
        FROM ${givenRows('contact')} WHERE ${where}
        RETURNING c.id, c.portal_access, c.portal_role, c.email, c.company_id
      ) SELECT id, portal_access, portal_role, email, company_id FROM changed`;
    // Whoever sees all contacts may change them together.
    if (!db && caller.kind === 'key')
      return this.batched.write<PortalAccess & { id: string }>(statement, row);
    return (await (db ?? this.prepared).query<PortalAccess[]>(statement, params.values))[0] ?? null;
  }

  /**
   * Makes the administrators of a company wait for each other until the transaction ends, and answers whether
   * the caller is still one of them: of two who withdraw each other's access at once, the second no longer is.
   */
  async lockAsAdmin({ contactId, companyId }: PortalCaller, db: Queryable): Promise<boolean> {
    await db.query('SELECT 1 FROM company WHERE id = $1 FOR NO KEY UPDATE', [companyId]);
    const rows = await db.query(
      `SELECT 1 FROM contact
       WHERE id = $1 AND company_id = $2 AND portal_access = 1 AND portal_role = 'client_admin' FOR SHARE`,
      [contactId, companyId],
    );
    return rows.length > 0;
  }

  /** Runs `work` in one transaction, or in a savepoint of the one that is open on `db`. */
  transaction<T>(work: (db: Queryable) => Promise<T>, db?: Transactional): Promise<T> {
    return transaction(this.db, work, db);
  }
}

function asFound(row: ContactRow | null): FoundContact | null {
  return row && { ...row, detail: new JsonText(row.text) };
}

/** Short reads together, searches prepared, and whatever else is planned for its values. */
function connectionFor(shape: ListShape, way: ReadingWay, server: Server): Queryable {
  if (isShort(shape, way)) return server.reads;
  return shape.query.search === undefined ? server.planned : server.prepared;
}

/** The condition of the rows that exist for the caller: none for a key, else the own company or oneself. */
function rowsVisibleTo(caller: Caller, params: Params): string[] {
  if (caller.kind === 'key') return [];
  if (caller.companyId === null) return [`c.id = ${params.add(caller.contactId)}`];
  return [`c.company_id = ${params.add(caller.companyId)}`];
}
