// The route of the audit log.
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Access } from '../auth/access.decorator.js';
import type { KeyCaller } from '../auth/caller.js';
import { CurrentCaller } from '../auth/current-caller.decorator.js';
import { AnswersPage } from '../common/api-docs.js';
import type { JsonText } from '../common/json-text.js';
import { ok } from '../common/page.js';
import { AuditEntry, AuditQuery } from './audit.dto.js';
import { AuditRepository } from './audit.repository.js';

@ApiTags('audit')
@Controller('api/audit')
export class AuditController {
  constructor(private readonly audit: AuditRepository) {}

  @Get()
  @Access({ key: 'audit:read' })
  @AnswersPage('List what was done to keys, sign-in and portal access, newest first', AuditEntry)
  async list(@CurrentCaller() caller: KeyCaller, @Query() query: AuditQuery): Promise<JsonText> {
    return ok(await this.audit.list(caller, query));
  }
}
