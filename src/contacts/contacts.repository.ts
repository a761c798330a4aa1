// All SQL on contacts. Every query takes the caller, so none can forget whose rows and fields it may touch.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller, PortalCaller } from '../auth/caller.js';
import { decodeCursor } from '../common/cursor.js';
import { listPage } from '../common/list.js';
import type { Page } from '../common/page.js';
import { Params, type Queryable, assignments, insertValues } from '../common/sql.js';
import { Products } from '../config/products.js';
import type { ContactDetail, CreatedContact, PortalAccess } from './contact.dto.js';
import type { Contact } from './contact.entity.js';
import { chosenFields, contactJson, visibleFields } from './contact.fields.js';
import { type ContactQuery, filterConditions, listOrder } from './contact.query.js';

const CONTACT_AND_COMPANY = 'contact c LEFT JOIN company co ON co.id = c.company_id';

@Injectable()
export class ContactsRepository {
  constructor(
    private readonly db: DataSource,
    private readonly products: Products,
  ) {}

  /** One page of the contacts the caller sees, of those that pass the query's filters. */
  list(caller: Caller, query: ContactQuery): Promise<Page<Partial<ContactDetail>>> {
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), ...filterConditions(query, params)];
    const order = listOrder(query, params);
    const request = {
      from: CONTACT_AND_COMPANY,
      id: 'c.id',
      where,
      order,
      item: contactJson(chosenFields(query.fields, caller), this.products.names, params),
      page: query.page,
      limit: query.limit,
      withTotal: query.total === 1,
      cursor: decodeCursor(query.cursor, order),
    };
    return listPage(this.db, request, params);
  }

  /** The contact with the fields the caller sees, or null; `lock` keeps it unchanged until the transaction ends. */
  async findById(
    caller: Caller,
    id: string,
    { db = this.db, lock = false }: { db?: Queryable; lock?: boolean } = {},
  ): Promise<ContactDetail | null> {
    const params = new Params();
    const contact = contactJson(visibleFields(caller), this.products.names, params);
    const where = [...rowsVisibleTo(caller, params), `c.id = ${params.add(id)}`].join(' AND ');
    const statement = `SELECT ${contact} AS contact FROM ${CONTACT_AND_COMPANY} WHERE ${where}`;
    const rows = await db.query<{ contact: ContactDetail }[]>(
      lock ? `${statement} FOR UPDATE OF c` : statement,
      params.values,
    );
    return rows[0]?.contact ?? null;
  }

  /** The id of the contact with this canonical e-mail among those the caller sees, or null. */
  async findIdByEmail(caller: Caller, email: string): Promise<string | null> {
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), `c.email = ${params.add(email)}`].join(' AND ');
    const rows = await this.db.query<{ id: string }[]>(
      `SELECT c.id FROM contact c WHERE ${where}`,
      params.values,
    );
    return rows[0]?.id ?? null;
  }

  /** Inserts a contact, a portal user's always into its own company; null when the id is taken already. */
  async insert(
    caller: Caller,
    contact: Partial<Contact> & { id: string },
    db: Queryable = this.db,
  ): Promise<(CreatedContact & PortalAccess) | null> {
    const params = new Params();
    const row = caller.kind === 'key' ? contact : { ...contact, company_id: caller.companyId };
    const rows = await db.query<(CreatedContact & PortalAccess)[]>(
      `INSERT INTO contact ${insertValues(row, params)}
       ON CONFLICT (id) DO NOTHING RETURNING id, full_name, email, portal_access, portal_role`,
      params.values,
    );
    return rows[0] ?? null;
  }

  /** Changes a contact the caller sees and answers the access it has then; null when there is none. */
  async update(
    caller: Caller,
    id: string,
    changes: Partial<Contact>,
    db: Queryable = this.db,
  ): Promise<PortalAccess | null> {
    const params = new Params();
    const set = assignments(changes, params);
    const where = [...rowsVisibleTo(caller, params), `c.id = ${params.add(id)}`].join(' AND ');
    const statement = `WITH changed AS (
        UPDATE contact c SET ${set}, updated_at = now() WHERE ${where} RETURNING c.portal_access, c.portal_role
      ) SELECT portal_access, portal_role FROM changed`;
    return (await db.query<PortalAccess[]>(statement, params.values))[0] ?? null;
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

  /** Runs `work` in one transaction. */
  transaction<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    return this.db.transaction((manager) => work(manager));
  }
}

/** The condition of the rows that exist for the caller: none for a key, else the own company or oneself. */
function rowsVisibleTo(caller: Caller, params: Params): string[] {
  if (caller.kind === 'key') return [];
  if (caller.companyId === null) return [`c.id = ${params.add(caller.contactId)}`];
  return [`c.company_id = ${params.add(caller.companyId)}`];
}
