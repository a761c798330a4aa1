// The rules of contacts; what must hold under races is left to the database and translated here.
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/audit-log.js';
import { type Caller, mayRead } from '../auth/caller.js';
import { brokenConstraint } from '../common/database-errors.js';
import { ApiError, found } from '../common/errors.js';
import { requireMatch } from '../common/etag.js';
import { IdSource } from '../common/ids.js';
import type { JsonText } from '../common/json-text.js';
import type { Queryable, Transactional } from '../common/sql.js';
import { isCompanyAdmin, requireMayCreate, requireMayPatch } from './contact.authority.js';
import {
  type ContactDetail,
  type CreateContactDto,
  type CreatedContact,
  type PatchContactDto,
  type UpdatedContact,
  toColumns,
} from './contact.dto.js';
import type { ContactQuery } from './contact.query.js';
import { ContactListsRepository } from './contact-lists.repository.js';
import { ContactsRepository } from './contacts.repository.js';
import { NO_ACCESS, type PortalAccess, accessChanges, mayChangeAccess } from './portal-access.js';

@Injectable()
export class ContactsService {
  constructor(
    private readonly contacts: ContactsRepository,
    private readonly lists: ContactListsRepository,
    private readonly ids: IdSource,
    private readonly audit: AuditLog,
  ) {}

  list(caller: Caller, query: ContactQuery): Promise<JsonText> {
    return this.lists.list(caller, query);
  }

  /** The contact, or null when there is none for the caller; `db` reads it in a transaction. */
  async find(caller: Caller, id: string, db?: Queryable): Promise<ContactDetail | null> {
    const contact = await this.contacts.findById(caller, id, { db });
    return contact && (JSON.parse(contact.detail.text) as ContactDetail);
  }

  /**
   * The contact as it is answered.
   * @throws ApiError 404 when there is no such contact for the caller.
   */
  async get(caller: Caller, id: string): Promise<JsonText> {
    return found(await this.contacts.show(caller, id), 'contact', id).detail;
  }

  /**
   * @param outer the transaction it is part of, if it stands and falls with something else.
   * @throws ApiError 400 without e-mail and company, 403 for a portal user who may not, 409 for a taken e-mail,
   * 422 for an unknown company.
   */
  async create(caller: Caller, dto: CreateContactDto, outer?: Transactional): Promise<CreatedContact> {
    requireMayCreate(caller, dto);
    const insert = (db?: Queryable) =>
      this.ids.assign('ct', (id) => this.contacts.insert(caller, { id, ...toColumns(dto) }, db));
    // A backend's write that gives no access needs no transaction of its own.
    const write = () =>
      !outer && caller.kind === 'key' && !dto.portal_access
        ? insert()
        : this.contacts.transaction(async (db) => {
            await this.requireStillAdmin(caller, db);
            const created = await insert(db);
            await this.recordAccess(caller, created.id, NO_ACCESS, created, db);
            return created;
          }, outer);
    const { id, full_name, email } = await this.explained(caller, dto, write, outer);
    return { id, full_name, email };
  }

  /**
   * Changes the named fields and no others.
   * @param ifMatch value of an If-Match header: refuses with 412 when the caller's view has changed since.
   * @param outer as in `create`.
   * @throws ApiError 400 for an empty patch, 404, and what `create` throws.
   */
  async patch(
    caller: Caller,
    id: string,
    dto: PatchContactDto,
    ifMatch?: string,
    outer?: Transactional,
  ): Promise<UpdatedContact> {
    const columns = toColumns(dto);
    if (Object.keys(columns).length === 0) throw new ApiError('empty_patch');
    // Nor does one that compares nothing, and leaves access alone.
    const write = () =>
      !outer && caller.kind === 'key' && ifMatch === undefined && !mayChangeAccess(dto)
        ? this.contacts.update(caller, id, columns)
        : this.contacts.transaction(async (db) => {
            await this.requireStillAdmin(caller, db);
            const before = found(await this.contacts.findById(caller, id, { db, lock: true }), 'contact', id);
            requireMayPatch(caller, id, dto);
            if (ifMatch !== undefined) requireMatch(ifMatch, before.detail, mayRead(caller, 'contacts:read'));
            const after = found(await this.contacts.update(caller, id, columns, db), 'contact', id);
            await this.recordAccess(caller, id, before, after, db);
            return after;
          }, outer);
    found(await this.explained(caller, dto, write, outer), 'contact', id);
    return { id, updated: true };
  }

  /** @throws ApiError 403 for an administrator whose role or access was withdrawn a moment ago. */
  private async requireStillAdmin(caller: Caller, db: Queryable): Promise<void> {
    if (isCompanyAdmin(caller) && !(await this.contacts.lockAsAdmin(caller, db)))
      throw new ApiError('forbidden');
  }

  private async recordAccess(
    caller: Caller,
    id: string,
    before: PortalAccess,
    after: PortalAccess,
    db: Queryable,
  ): Promise<void> {
    const audit = this.audit.within(db);
    for (const [event, details] of accessChanges(before, after))
      await audit.recordBy(caller, event, id, details);
  }

  /** Runs a write; a taken e-mail is answered with the contact that has it, if the caller sees that one. */
  private async explained<T>(
    caller: Caller,
    dto: PatchContactDto,
    write: () => Promise<T>,
    outer?: Transactional,
  ): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (brokenConstraint(error) !== 'contact_email_uq' || !dto.email) throw error;
      const existing = await this.contacts.findIdByEmail(caller, dto.email, outer);
      const details = existing ? [{ field: 'email', existing_id: existing }] : undefined;
      throw new ApiError('email_taken', { field: 'email', details });
    }
  }
}
