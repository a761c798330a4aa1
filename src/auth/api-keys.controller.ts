// The routes of API keys.
import { Body, Controller, Delete, Get, Header, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AnswersCreated, AnswersOk } from '../common/api-docs.js';
import { type Ok, ok } from '../common/page.js';
import { Access } from './access.decorator.js';
import {
  ApiKeyList,
  ApiKeyView,
  CreateApiKeyDto,
  IssuedApiKey,
  PatchApiKeyDto,
  RevokedApiKey,
  RotateApiKeyDto,
} from './api-key.dto.js';
import { ApiKeysService } from './api-keys.service.js';
import type { KeyCaller } from './caller.js';
import { type Attempt, CurrentAttempt } from './current-attempt.decorator.js';
import { CurrentCaller } from './current-caller.decorator.js';
import { IdempotentWritesService } from './idempotent-writes.service.js';

@ApiTags('keys')
@Controller('api/keys')
export class ApiKeysController {
  constructor(
    private readonly keys: ApiKeysService,
    private readonly writes: IdempotentWritesService,
  ) {}

  @Get()
  @Access({ key: 'keys:manage' })
  @AnswersOk('List API keys', ApiKeyList)
  async list(): Promise<Ok<ApiKeyList>> {
    return ok({ items: await this.keys.list() });
  }

  @Post()
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  @Access({ key: 'keys:manage' })
  @AnswersCreated('Create an API key; its text is shown this once', IssuedApiKey)
  async create(
    @CurrentCaller() caller: KeyCaller,
    @Body() dto: CreateApiKeyDto,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<IssuedApiKey>> {
    return this.writes.once(attempt, async (db) => ({ body: ok(await this.keys.create(caller, dto, db)) }));
  }

  @Post(':id/rotate')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Access({ key: 'keys:manage' })
  @AnswersOk('Give an API key a new secret', IssuedApiKey, ['not_found'])
  async rotate(
    @CurrentCaller() caller: KeyCaller,
    @Param('id') id: string,
    @Body() dto: RotateApiKeyDto,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<IssuedApiKey>> {
    return this.writes.once(attempt, async (db) => ({
      body: ok(await this.keys.rotate(caller, id, dto, db)),
    }));
  }

  @Patch(':id')
  @Access({ key: 'keys:manage' })
  @AnswersOk('Change how often an API key may be used', ApiKeyView, ['not_found'])
  async patch(
    @CurrentCaller() caller: KeyCaller,
    @Param('id') id: string,
    @Body() dto: PatchApiKeyDto,
    @CurrentAttempt() attempt: Attempt,
  ): Promise<Ok<ApiKeyView>> {
    return this.writes.once(attempt, async (db) => ({
      body: ok(await this.keys.patch(caller, id, dto, db)),
    }));
  }

  @Delete(':id')
  @Access({ key: 'keys:manage' })
  @AnswersOk('Revoke an API key', RevokedApiKey, ['not_found'])
  async revoke(@CurrentCaller() caller: KeyCaller, @Param('id') id: string): Promise<Ok<RevokedApiKey>> {
    return ok(await this.keys.revoke(caller, id));
  }
}
