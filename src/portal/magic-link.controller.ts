// The routes of signing in by mail.
import { Body, Controller, Get, Header, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../auth/access.decorator.js';
import { OriginCheck } from '../auth/session-cookie.js';
import { AnswersAccepted, AnswersOk } from '../common/api-docs.js';
import { ApiError } from '../common/errors.js';
import { type Ok, ok } from '../common/page.js';
import { sendPage } from './html.js';
import { confirmPage, expiredPage } from './magic-link-pages.js';
import {
  MagicLinkQuery,
  RequestMagicLinkDto,
  RequestedMagicLink,
  SignedIn,
  VerifyMagicLinkDto,
} from './magic-link.dto.js';
import { MagicLinksService } from './magic-links.service.js';
import { PortalSettings } from './portal-settings.js';
import { SessionCookies } from './session-cookies.js';
import { visitorOf } from './visitor.js';

@ApiTags('portal')
@Controller('auth/magic-link')
export class MagicLinkController {
  constructor(
    private readonly links: MagicLinksService,
    private readonly cookies: SessionCookies,
    private readonly origins: OriginCheck,
    private readonly settings: PortalSettings,
  ) {}

  @Post()
  @HttpCode(202)
  @Public()
  @Header('cache-control', 'no-store')
  @AnswersAccepted(
    'Ask for a sign-in link by mail; the answer is the same for every address',
    RequestedMagicLink,
    ['too_many_requests', 'rate_limited'],
  )
  async request(
    @Body() dto: RequestMagicLinkDto,
    @Req() request: FastifyRequest,
  ): Promise<Ok<RequestedMagicLink>> {
    return ok({ request_id: await this.links.request(dto, visitorOf(request)) });
  }

  /** Opening the page changes nothing: mail scanners open every link. */
  @Get()
  @Public()
  @ApiExcludeEndpoint()
  async page(@Query() { token }: MagicLinkQuery, @Res() reply: FastifyReply): Promise<void> {
    const link = await this.links.peek(token);
    sendPage(reply, link ? confirmPage(token, link.product, this.settings.origins) : expiredPage());
  }

  @Post('verify')
  @HttpCode(200)
  @Public()
  @Header('cache-control', 'no-store')
  @AnswersOk('Sign in by the token of the link, or by the code of the same mail', SignedIn, [
    'sign_in_failed',
    'rate_limited',
  ])
  async verify(
    @Body() proof: VerifyMagicLinkDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Ok<SignedIn>> {
    const { tokens, redirect } = await this.links.verify(proof, visitorOf(request));
    this.cookies.set(reply, tokens);
    return ok({ ...this.settings.tokenView(tokens.accessToken), redirect });
  }

  /** What the page's button does, with or without JavaScript: a form, not JSON. */
  @Post('confirm')
  @Public()
  @ApiExcludeEndpoint()
  async confirm(
    @Body() { token }: MagicLinkQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.origins.require(request);
    try {
      const { tokens, redirect } = await this.links.verify({ token }, visitorOf(request));
      this.cookies.set(reply, tokens);
      void reply.header('cache-control', 'no-store').redirect(redirect, 303);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      sendPage(reply, expiredPage());
    }
  }
}
