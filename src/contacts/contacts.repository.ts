// The SQL of single contacts; that of lists is beside it. Every query takes the caller, so none can forget whose rows and
// fields it may touch.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller, PortalCaller } from '../auth/caller.js';
import { BatchedWrites, givenRows, givenValues } from '../common/batched-writes.js';
import { JsonText } from '../common/json-text.js';
import { PreparedPool } from '../common/prepared-pool.js';
import { Reads } from '../common/reads.js';
import { Servers } from '../common/servers.js';
import { Params, type Queryable, type Transactional, assignments, columnsOf, quoted } from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import { Products } from '../config/products.js';
import type { CreatedContact } from './contact.dto.js';
import type { PortalAccess } from './portal-access.js';
import type { Contact } from './contact.entity.js';
import { contactJson, visibleFields } from './contact.fields.js';
import { rowsVisibleById, rowsVisibleTo } from './visible-rows.js';

const CONTACT_AND_COMPANY = 'contact c LEFT JOIN company co ON co.id = c.company_id';

/**
 * Of the given rows those whose company there is, and those without: any other would stop those beside it. Looked up one by
 * one, which an EXISTS need not be: it may read all companies first.
 */
const WITH_COMPANY = `${givenRows('contact')}
      WHERE (SELECT co.id FROM company co WHERE co.id = given.company_id) IS NOT DISTINCT FROM given.company_id`;

/** What an insert answers, and what decides about access. */
type InsertedContact = CreatedContact & PortalAccess;

/** What is read of a contact; its detail is text. */
type ContactRow = PortalAccess & { text: string };

/** A contact as its caller sees it, and the access it has. */
interface FoundContact extends PortalAccess {
  /** A ContactDetail, or a PortalContact. */
  readonly detail: JsonText;
}

@Injectable()
export class ContactsRepository {
  private readonly statements = new Map<string, string>();

  constructor(
    private readonly db: DataSource,
    private readonly reads: Reads,
    private readonly prepared: PreparedPool,
    private readonly batched: BatchedWrites,
    private readonly servers: Servers,
    private readonly products: Products,
  ) {}

  /** The contact with the fields the caller sees, or null, to be shown and not to be decided by. */
  show(caller: Caller, id: string): Promise<FoundContact | null> {
    return this.servers.read(caller, ({ reads }) => this.findById(caller, id, { db: reads }));
  }

  /** The contact with the fields the caller sees, or null; `lock` keeps it unchanged until the transaction ends. */
  async findById(
    caller: Caller,
    id: string,
    { db = this.reads, lock = false }: { db?: Queryable; lock?: boolean } = {},
  ): Promise<FoundContact | null> {
    const params = new Params([this.products.names]);
    const where = [`c.id = ${params.add(id)}`, ...rowsVisibleById(caller, params)].join(' AND ');
    const statement = this.readingWhere(where, caller);
    const [row] = await db.query<ContactRow[]>(
      lock ? `${statement} FOR UPDATE OF c` : statement,
      params.values,
    );
    return row ? { ...row, detail: new JsonText(row.text) } : null;
  }

  /** Reads a whole contact. Put together once for each kind of caller and condition; the product names are its $1. */
  private readingWhere(condition: string, caller: Caller): string {
    const key = `${caller.kind} ${condition}`;
    const known = this.statements.get(key);
    if (known) return known;
    const detail = contactJson(visibleFields(caller), this.products.names, new Params());
    const statement = `SELECT ${detail}::text AS text, c.portal_access, c.portal_role, c.email, c.company_id
       FROM ${CONTACT_AND_COMPANY} WHERE ${condition}`;
    this.statements.set(key, statement);
    return statement;
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
  ): Promise<InsertedContact | null> {
    const row = caller.kind === 'key' ? contact : { ...contact, company_id: caller.companyId };
    const columns = quoted(columnsOf(row));
    const insert = (source: string, conflict: string): string => `INSERT INTO contact (${columns})
      SELECT ${columns} FROM ${source}
      ${conflict} DO NOTHING RETURNING id, full_name, email, company_id, portal_access, portal_role`;
    if (!db) {
      const inserted = await this.batched.write<InsertedContact>(insert(WITH_COMPANY, 'ON CONFLICT'), row);
      if (inserted) return inserted;
    }
    // Whose address is taken, or whose company there is none of, is told so alone.
    const alone = insert(givenRows('contact'), 'ON CONFLICT (id)');
    const rows = await (db ?? this.prepared).query<InsertedContact[]>(alone, givenValues([row]));
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
    // The first two are those of the given rows.
    const params = new Params([null, null]);
    const where = ['c.id = given.id', ...rowsVisibleById(caller, params)].join(' AND ');
    const statement = `WITH changed AS (
        UPDATE contact c SET ${assignments(columnsOf(changes), (column) => `given."${column}"`)}
        FROM ${givenRows('contact')} WHERE ${where}
        RETURNING c.id, c.portal_access, c.portal_role, c.email, c.company_id
      ) SELECT id, portal_access, portal_role, email, company_id FROM changed`;
    // Whoever sees all contacts may change them together.
    if (!db && caller.kind === 'key')
      return this.batched.write<PortalAccess & { id: string }>(statement, row);
    const values = [...givenValues([row]), ...params.values.slice(2)];
    return (await (db ?? this.prepared).query<PortalAccess[]>(statement, values))[0] ?? null;
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
