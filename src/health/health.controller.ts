// Whether the process lives, and whether it can serve: asked by balancers every second, so said in a word.
import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { ApiProperty, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../auth/access.decorator.js';
import { AnswersOk } from '../common/api-docs.js';
import { sendError } from '../common/error.filter.js';
import { ApiError } from '../common/errors.js';
import { type Ok, ok } from '../common/page.js';
import { Readiness } from './readiness.js';

class Health {
  @ApiProperty({ enum: ['live', 'ready'] }) status: 'live' | 'ready';
}

@ApiTags('service')
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  /** Of the process alone: restarting it would not bring a database back. */
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
  @AnswersOk('Whether the process serves: the database answers and it is not about to stop', Health, [
    'unavailable',
  ])
  async ready(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (await this.readiness.isReady()) await reply.send(ok({ status: 'ready' }));
    // Not thrown: the log has it once, and not at every question.
    else sendError(reply, new ApiError('unavailable'), request.id);
  }
}
