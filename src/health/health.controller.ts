// Whether the process lives, and whether it can serve.
import { Controller, Get, Header } from '@nestjs/common';
import { ApiProperty, ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { Public } from '../auth/access.decorator.js';
import { AnswersOk } from '../common/api-docs.js';
import { ApiError } from '../common/errors.js';
import { type Ok, ok } from '../common/page.js';
import { checkSchema, schemaRefusal } from '../database/schema-check.js';

class Health {
  @ApiProperty({ enum: ['live', 'ready'] }) status: 'live' | 'ready';
}

@ApiTags('service')
@Controller('health')
export class HealthController {
  constructor(private readonly db: DataSource) {}

  @Get('live')
  @Public()
  @Header('cache-control', 'no-store')
  @AnswersOk('Whether the process answers', Health)
  live(): Ok<Health> {
    return ok({ status: 'live' });
  }

  @Get('ready')
  @Public()
  @Header('cache-control', 'no-store')
  @AnswersOk('Whether the database answers with the schema this release knows', Health, ['unavailable'])
  async ready(): Promise<Ok<Health>> {
    const refusal = schemaRefusal(await checkSchema(this.db));
    if (refusal) throw new ApiError('unavailable', { message: refusal });
    return ok({ status: 'ready' });
  }
}
