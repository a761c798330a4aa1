// The rules of companies.
import { Injectable } from '@nestjs/common';
import { type Caller, type KeyCaller, mayRead } from '../auth/caller.js';
import { ApiError, found } from '../common/errors.js';
import { requireMatch } from '../common/etag.js';
import { IdSource } from '../common/ids.js';
import type { JsonText } from '../common/json-text.js';
import type { Transactional } from '../common/sql.js';
import { CompaniesRepository } from './companies.repository.js';
import type {
  CompanyDetail,
  CreateCompanyDto,
  CreatedCompany,
  PortalCompany,
  PatchCompanyDto,
  UpdatedCompany,
} from './company.dto.js';
import type { CompanyQuery } from './company.query.js';

@Injectable()
export class CompaniesService {
  constructor(
    private readonly companies: CompaniesRepository,
    private readonly ids: IdSource,
  ) {}

  list(caller: Caller, query: CompanyQuery): Promise<JsonText> {
    return this.companies.list(caller, query);
  }

  /** @throws ApiError 404 when there is no such company for the caller. */
  async get(caller: Caller, id: string): Promise<CompanyDetail | PortalCompany> {
    return found(await this.companies.show(caller, id), 'company', id);
  }

  /** @param outer the transaction it is part of, if it stands and falls with something else. */
  create(caller: KeyCaller, dto: CreateCompanyDto, outer?: Transactional): Promise<CreatedCompany> {
    return this.ids.assign('co', (id) => this.companies.insert(caller, { id, ...dto }, outer));
  }

  /**
   * Changes the named fields and no others.
   * @param ifMatch value of an If-Match header: refuses with 412 when the company has changed since.
   * @param outer as in `create`.
   * @throws ApiError 400 for an empty patch, 404, 412.
   */
  async patch(
    caller: KeyCaller,
    id: string,
    dto: PatchCompanyDto,
    ifMatch?: string,
    outer?: Transactional,
  ): Promise<UpdatedCompany> {
    if (Object.keys(dto).length === 0) throw new ApiError('empty_patch');
    const updated =
      ifMatch === undefined
        ? await this.companies.update(caller, id, dto, outer)
        : await this.companies.transaction(async (db) => {
            const before = await this.companies.findById(caller, id, { db, lock: true });
            requireMatch(ifMatch, found(before, 'company', id), mayRead(caller, 'companies:read'));
            return this.companies.update(caller, id, dto, db);
          }, outer);
    found(updated, 'company', id);
    return { id, updated: true };
  }
}
