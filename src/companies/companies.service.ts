// The rules of companies.
import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/caller.js';
import { ApiError } from '../common/errors.js';
import { requireMatch } from '../common/etag.js';
import { IdSource } from '../common/ids.js';
import type { Page } from '../common/page.js';
import { CompaniesRepository } from './companies.repository.js';
import type {
  CompanyDetail,
  CompanyItem,
  CreateCompanyDto,
  CreatedCompany,
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

  list(caller: Caller, query: CompanyQuery): Promise<Page<CompanyItem>> {
    return this.companies.list(caller, query);
  }

  /** @throws ApiError 404 when there is no such company for the caller. */
  async get(caller: Caller, id: string): Promise<CompanyDetail> {
    return (await this.companies.findById(caller, id)) ?? notFound(id);
  }

  async create(dto: CreateCompanyDto): Promise<CreatedCompany> {
    for (;;) {
      // An id drawn twice is simply drawn again.
      const created = await this.companies.insert({ id: this.ids.next('co'), ...dto });
      if (created) return created;
    }
  }

  /**
   * Changes the named fields and no others.
   * @param ifMatch value of an If-Match header: refuses with 412 when the company has changed since.
   * @throws ApiError 400 for an empty patch, 404, 412.
   */
  async patch(caller: Caller, id: string, dto: PatchCompanyDto, ifMatch?: string): Promise<UpdatedCompany> {
    if (Object.keys(dto).length === 0) throw new ApiError('empty_patch');
    const updated =
      ifMatch === undefined
        ? await this.companies.update(caller, id, dto)
        : await this.companies.transaction(async (db) => {
            const current = await this.companies.findById(caller, id, { db, lock: true });
            requireMatch(ifMatch, current ?? notFound(id));
            return this.companies.update(caller, id, dto, db);
          });
    return updated ? { id, updated: true } : notFound(id);
  }
}

function notFound(id: string): never {
  throw new ApiError('not_found', { message: `There is no company ${JSON.stringify(id.slice(0, 100))}.` });
}
