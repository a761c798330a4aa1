// The routes of companies.
import { Body, Controller, Get, Headers, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Access } from '../auth/access.decorator.js';
import type { Caller, KeyCaller } from '../auth/caller.js';
import { type Attempt, CurrentAttempt } from '../auth/current-attempt.decorator.js';
import { CurrentCaller } from '../auth/current-caller.decorator.js';
import { IdempotentWritesService } from '../auth/idempotent-writes.service.js';
import { QueryForCaller } from '../auth/input-for-caller.decorator.js';
import {
  AnswersCreated,
  AnswersOk,
  AnswersPage,
  ConsistencyHeader,
  EtagHeaders,
  IfMatchHeader,
} from '../common/api-docs.js';
import { notModified } from '../common/etag.js';
import type { JsonText } from '../common/json-text.js';
import { type Ok, ok } from '../common/page.js';
import { CompaniesService } from './companies.service.js';
import {
  CompanyDetail,
  CompanyItem,
  CreateCompanyDto,
  CreatedCompany,
  PatchCompanyDto,
  PortalCompany,
  UpdatedCompany,
} from './company.dto.js';
import { CompanyQuery, queryRules } from './company.query.js';

@ApiTags('companies')
@Controller('api/companies')
export class CompaniesController {
  constructor(
    private readonly companies: CompaniesService,
    private readonly writes: IdempotentWritesService,
  ) {}

  @Get()
  @Access({ key: 'companies:read', portal: true })
  @ConsistencyHeader()
  @AnswersPage('List companies by name; a portal user has its own', [CompanyItem, PortalCompany])
  async list(
    @CurrentCaller() caller: Caller,
    @QueryForCaller(CompanyQuery, queryRules) query: CompanyQuery,
  ): Promise<JsonText> {
    return ok(await this.companies.list(caller, query));
  }

  @Get(':id')
  @Access({ key: 'companies:read', portal: true })
  @EtagHeaders()
  @ConsistencyHeader()
  @AnswersOk('Read a company', [CompanyDetail, PortalCompany], ['not_found'])
  async get(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Ok<CompanyDetail | PortalCompany> | undefined> {
    const company = await this.companies.get(caller, id);
    return notModified(reply, company, ifNoneMatch) ? undefined : ok(company);
  }

  @Post()
  @HttpCode(201)
  @Access({ key: 'companies:write' })
  @AnswersCreated('Create a company', CreatedCompany)
  async create(
    @CurrentCaller() caller: KeyCaller,
    @Body() dto: CreateCompanyDto,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<CreatedCompany>> {
    return this.writes.once(attempt, async (db) => {
      const created = await this.companies.create(caller, dto, db);
      return { body: ok(created), location: `/api/companies/${created.id}` };
    });
  }

  @Patch(':id')
  @Access({ key: 'companies:write' })
  @IfMatchHeader()
  @AnswersOk('Change fields of a company', UpdatedCompany, [
    'empty_patch',
    'not_found',
    'precondition_failed',
  ])
  async patch(
    @CurrentCaller() caller: KeyCaller,
    @Param('id') id: string,
    @Body() dto: PatchCompanyDto,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<UpdatedCompany>> {
    return this.writes.once(attempt, async (db) => ({
      body: ok(await this.companies.patch(caller, id, dto, ifMatch, db)),
    }));
  }
}
