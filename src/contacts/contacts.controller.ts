// The routes of contacts.
import { Controller, Get, Headers, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Access } from '../auth/access.decorator.js';
import type { Caller } from '../auth/caller.js';
import { type Attempt, CurrentAttempt } from '../auth/current-attempt.decorator.js';
import { CurrentCaller } from '../auth/current-caller.decorator.js';
import { IdempotentWritesService } from '../auth/idempotent-writes.service.js';
import { BodyForCaller, QueryForCaller } from '../auth/input-for-caller.decorator.js';
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
import {
  ContactDetail,
  ContactFields,
  ContactItem,
  CreateContactDto,
  CreatedContact,
  PatchContactDto,
  PortalContact,
  UpdatedContact,
} from './contact.dto.js';
import { bodyRules, newContactRules } from './contact.fields.js';
import { ContactQuery, queryRules } from './contact.query.js';
import { ContactsService } from './contacts.service.js';

@ApiTags('contacts')
@Controller('api/contacts')
export class ContactsController {
  constructor(
    private readonly contacts: ContactsService,
    private readonly writes: IdempotentWritesService,
  ) {}

  @Get()
  @Access({ key: 'contacts:read', portal: true })
  @ConsistencyHeader()
  @AnswersPage('List contacts, newest first', ContactItem, ContactFields)
  async list(
    @CurrentCaller() caller: Caller,
    @QueryForCaller(ContactQuery, queryRules) query: ContactQuery,
  ): Promise<JsonText> {
    return ok(await this.contacts.list(caller, query));
  }

  @Get(':id')
  @Access({ key: 'contacts:read', portal: true })
  @EtagHeaders()
  @ConsistencyHeader()
  @AnswersOk('Read a contact', [ContactDetail, PortalContact], ['not_found'])
  async get(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonText | undefined> {
    const contact = await this.contacts.get(caller, id);
    return notModified(reply, contact, ifNoneMatch) ? undefined : ok(contact);
  }

  @Post()
  @HttpCode(201)
  @Access({ key: 'contacts:write', portal: true })
  @AnswersCreated('Create a contact', CreatedContact, [
    'email_or_company_required',
    'portal_access_needs_email',
    'email_taken',
    'company_not_found',
  ])
  async create(
    @CurrentCaller() caller: Caller,
    @BodyForCaller(CreateContactDto, newContactRules) dto: CreateContactDto,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<CreatedContact>> {
    return this.writes.once(attempt, async (db) => {
      const created = await this.contacts.create(caller, dto, db);
      return { body: ok(created), location: `/api/contacts/${created.id}` };
    });
  }

  @Patch(':id')
  @Access({ key: 'contacts:write', portal: true })
  @IfMatchHeader()
  @AnswersOk('Change fields of a contact', UpdatedContact, [
    'empty_patch',
    'email_or_company_required',
    'portal_access_needs_email',
    'not_found',
    'email_taken',
    'precondition_failed',
    'company_not_found',
  ])
  async patch(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @BodyForCaller(PatchContactDto, bodyRules) dto: PatchContactDto,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<UpdatedContact>> {
    return this.writes.once(attempt, async (db) => ({
      body: ok(await this.contacts.patch(caller, id, dto, ifMatch, db)),
    }));
  }
}
