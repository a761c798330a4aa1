// All SQL on contacts. Every query takes the caller, so none can forget whose rows and fields it may touch.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller } from '../auth/caller.js';
import { decodeCursor } from '../common/cursor.js';
import { listPage } from '../common/list.js';
import type { Page } from '../common/page.js';
import { Params, type Queryable, assignments, insertValues } from '../common/sql.js';
import { Products } from '../config/products.js';
import type { ContactDetail, CreatedContact } from './contact.dto.js';
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

  /** Inserts a contact; null when the id is taken already. */
  async insert(contact: Partial<Contact> & { id: string }): Promise<CreatedContact | null> {
    const params = new Params();
    const rows = await this.db.query<CreatedContact[]>(
      `INSERT INTO contact ${insertValues(contact, params)}
       ON CONFLICT (id) DO NOTHING RETURNING id, full_name, email`,
      params.values,
    );
    return rows[0] ?? null;
  }

  /** Changes a contact the caller sees; false when there is none. */
  async update(
    caller: Caller,
    id: string,
    changes: Partial<Contact>,
    db: Queryable = this.db,
  ): Promise<boolean> {
    const params = new Params();
    const set = assignments(changes, params);
    const where = [...rowsVisibleTo(caller, params), `c.id = ${params.add(id)}`].join(' AND ');
    const statement = `WITH changed AS (
        UPDATE contact c SET ${set}, updated_at = now() WHERE ${where} RETURNING c.id
      ) SELECT id FROM changed`;
    return (await db.query(statement, params.values)).length > 0;
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
