// The rules of companies.
import { Injectable } from '@nestjs/common';
import type { Caller, KeyCaller } from '../auth/caller.js';
import { ApiError, found } from '../common/errors.js';
import { requireMatch } from '../common/etag.js';
import { IdSource } from '../common/ids.js';
import type { JsonText } from '../common/json-text.js';
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

  create(caller: KeyCaller, dto: CreateCompanyDto): Promise<CreatedCompany> {
    return this.ids.assign('co', (id) => this.companies.insert(caller, { id, ...dto }));
  }

  /**
   * Changes the named fields and no others.
   * @param ifMatch value of an If-Match header: refuses with 412 when the company has changed since.
   * @throws ApiError 400 for an empty patch, 404, 412.
   */
  async patch(
    caller: KeyCaller,
    id: string,
    dto: PatchCompanyDto,
    ifMatch?: string,
  ): Promise<UpdatedCompany> {
    if (Object.keys(dto).length === 0) throw new ApiError('empty_patch');
    const updated =
      ifMatch === undefined
        ? await this.companies.update(caller, id, dto)
        : await this.companies.transaction(async (db) => {
            requireMatch(
              ifMatch,
              found(await this.companies.findById(caller, id, { db, lock: true }), 'company', id),
            );
            return this.companies.update(caller, id, dto, db);
          });
    found(updated, 'company', id);
    return { id, updated: true };
  }
}
