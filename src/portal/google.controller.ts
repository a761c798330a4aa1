// The routes of signing in with Google: there and back.
import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../auth/access.decorator.js';
import { AnswersErrors, ReadsAnyQuery } from '../common/api-docs.js';
import { signInEnded } from '../common/signals.js';
import { type Attempt, GoogleAttempts } from './google-attempts.js';
import { refusalPage } from './google-pages.js';
import { GoogleRefusal } from './google-refusal.js';
import { GoogleQuery } from './google.dto.js';
import { GoogleService } from './google.service.js';
import { sendPage } from './html.js';
import { PortalSettings } from './portal-settings.js';
import { allowedRedirect } from './redirects.js';
import { SessionCookies } from './session-cookies.js';
import { visitorOf } from './visitor.js';

/** Seconds until a visitor should try a Google that did not answer again. */
const RETRY_AFTER = 10;

const ANSWERS = {
  status: 302,
  description:
    'To Google, which sends the visitor back; then the session cookies are set and the browser is at `redirect`. A visitor who cannot be signed in sees a page that says what to do.',
  headers: { Location: { schema: { type: 'string', format: 'uri' } } },
} as const;

@ApiTags('portal')
@Controller('auth/sso/google')
export class GoogleController {
  constructor(
    private readonly google: GoogleService,
    private readonly attempts: GoogleAttempts,
    private readonly cookies: SessionCookies,
    private readonly settings: PortalSettings,
  ) {}

  @Get()
  @Public()
  @ApiOperation({ summary: 'Sign in with Google: a page to open, not to fetch' })
  @ApiResponse(ANSWERS)
  @AnswersErrors(['invalid_request', 'unavailable'])
  async start(
    @Query() query: GoogleQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const redirect = allowedRedirect(query.redirect, this.settings);
    const attempt = this.attempts.begin(redirect, this.settings.configuredProduct(query.product));
    await this.orRefusalPage(reply, attempt, async () => {
      const url = await this.google.authorizationUrl(attempt);
      this.attempts.save(attempt, request, reply);
      void reply.header('cache-control', 'no-store').redirect(url, 302);
    });
  }

  /** Google adds parameters as it likes, so its query is no DTO. */
  @Get('callback')
  @Public()
  @ReadsAnyQuery()
  @ApiExcludeEndpoint()
  async callback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new URL(request.url, this.settings.publicUrl).searchParams;
    const attempt = this.attempts.take(query.get('state'), request, reply);
    await this.orRefusalPage(reply, attempt, async () => {
      const { tokens, redirect } = await this.google.signIn(query, attempt, visitorOf(request));
      this.cookies.set(reply, tokens);
      void reply.header('cache-control', 'no-store').redirect(redirect, 303);
    });
  }

  private async orRefusalPage(
    reply: FastifyReply,
    attempt: Attempt | null,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof GoogleRefusal)) throw error;
      signInEnded.tell({ method: 'google', refusal: error.reason });
      if (error.reason === 'unreachable') void reply.header('retry-after', RETRY_AFTER);
      sendPage(reply, refusalPage(error.reason, attempt));
    }
  }
}
