// The rules of contacts; what must hold under races is left to the database and translated here.
import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/caller.js';
import { brokenConstraint } from '../common/database-errors.js';
import { ApiError } from '../common/errors.js';
import { requireMatch } from '../common/etag.js';
import { IdSource } from '../common/ids.js';
import type { Page } from '../common/page.js';
import {
  type ContactDetail,
  type CreateContactDto,
  type CreatedContact,
  type PatchContactDto,
  type UpdatedContact,
  toColumns,
} from './contact.dto.js';
import type { ContactQuery } from './contact.query.js';
import { ContactsRepository } from './contacts.repository.js';

@Injectable()
export class ContactsService {
  constructor(
    private readonly contacts: ContactsRepository,
    private readonly ids: IdSource,
  ) {}

  list(caller: Caller, query: ContactQuery): Promise<Page<Partial<ContactDetail>>> {
    return this.contacts.list(caller, query);
  }

  /** @throws ApiError 404 when there is no such contact for the caller. */
  async get(caller: Caller, id: string): Promise<ContactDetail> {
    return (await this.contacts.findById(caller, id)) ?? notFound(id);
  }

  /** @throws ApiError 400 without e-mail and company, 409 for a taken e-mail, 422 for an unknown company. */
  async create(caller: Caller, dto: CreateContactDto): Promise<CreatedContact> {
    const columns = toColumns(dto);
    return this.explained(caller, dto, async () => {
      for (;;) {
        // An id drawn twice is simply drawn again.
        const created = await this.contacts.insert({ id: this.ids.next('ct'), ...columns });
        if (created) return created;
      }
    });
  }

  /**
   * Changes the named fields and no others.
   * @param ifMatch value of an If-Match header: refuses with 412 when the caller's view has changed since.
   * @throws ApiError 400 for an empty patch, 404, and what `create` throws.
   */
  async patch(caller: Caller, id: string, dto: PatchContactDto, ifMatch?: string): Promise<UpdatedContact> {
    const columns = toColumns(dto);
    if (Object.keys(columns).length === 0) throw new ApiError('empty_patch');
    const updated = await this.explained(caller, dto, () =>
      ifMatch === undefined
        ? this.contacts.update(caller, id, columns)
        : this.contacts.transaction(async (db) => {
            const current = await this.contacts.findById(caller, id, { db, lock: true });
            requireMatch(ifMatch, current ?? notFound(id));
            return this.contacts.update(caller, id, columns, db);
          }),
    );
    return updated ? { id, updated: true } : notFound(id);
  }

  /** Runs a write; a taken e-mail is answered with the contact that has it. */
  private async explained<T>(caller: Caller, dto: PatchContactDto, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (brokenConstraint(error) !== 'contact_email_uq' || !dto.email) throw error;
      const existing = await this.contacts.findIdByEmail(caller, dto.email);
      const details = existing ? [{ field: 'email', existing_id: existing }] : undefined;
      throw new ApiError('email_taken', { field: 'email', details });
    }
  }
}

function notFound(id: string): never {
  throw new ApiError('not_found', { message: `There is no contact ${JSON.stringify(id.slice(0, 100))}.` });
}
