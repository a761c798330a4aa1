// The routes of a signed-in browser: refresh, who am I, my sessions, sign out.
import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { decodeJwt } from 'jose';
import { Access, Public } from '../auth/access.decorator.js';
import { bearerToken } from '../auth/api-key.strategy.js';
import type { PortalCaller } from '../auth/caller.js';
import { CurrentCaller } from '../auth/current-caller.decorator.js';
import { OriginCheck } from '../auth/session-cookie.js';
import { AnswersOk } from '../common/api-docs.js';
import { ApiError } from '../common/errors.js';
import { type Ok, ok } from '../common/page.js';
import { PortalSettings } from './portal-settings.js';
import { SessionCookies } from './session-cookies.js';
import { EndedSession, LogoutDto, SessionList, SignedOut, TokenView, WhoAmI } from './session.dto.js';
import { SessionsService } from './sessions.service.js';
import { visitorOf } from './visitor.js';

@ApiTags('portal')
@Controller('auth')
export class SessionController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly cookies: SessionCookies,
    private readonly origins: OriginCheck,
    private readonly settings: PortalSettings,
  ) {}

  @Post('refresh')
  @HttpCode(200)
  @Public()
  @Header('cache-control', 'no-store')
  @AnswersOk('Exchange the refresh cookie for a new access token', TokenView, [
    'unauthenticated',
    'forbidden',
    'rate_limited',
  ])
  async refresh(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Ok<TokenView>> {
    this.origins.require(request);
    const token = this.cookies.refreshToken(request);
    if (!token) throw new ApiError('unauthenticated');
    const tokens = await this.sessions.refresh(token, visitorOf(request));
    this.cookies.set(reply, tokens);
    return ok(this.settings.tokenView(tokens.accessToken));
  }

  @Get('session')
  @Access({ portal: true })
  @Header('cache-control', 'no-store')
  @AnswersOk('Who is signed in', WhoAmI)
  async whoAmI(@CurrentCaller() caller: PortalCaller): Promise<Ok<WhoAmI>> {
    return ok(await this.sessions.whoAmI(caller));
  }

  @Get('sessions')
  @Access({ portal: true })
  @Header('cache-control', 'no-store')
  @AnswersOk('List my sessions', SessionList)
  async list(@CurrentCaller() caller: PortalCaller): Promise<Ok<SessionList>> {
    return ok({ items: await this.sessions.list(caller) });
  }

  @Delete('sessions/:id')
  @Access({ portal: true })
  @AnswersOk('End one of my sessions', EndedSession, ['not_found'])
  async end(
    @CurrentCaller() caller: PortalCaller,
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ): Promise<Ok<EndedSession>> {
    await this.sessions.end(caller, id, visitorOf(request));
    return ok({ id, ended: true });
  }

  @Post('logout')
  @HttpCode(200)
  @Public()
  @AnswersOk('Sign out: here, elsewhere, or everywhere', SignedOut, ['unauthenticated', 'forbidden'])
  async logout(
    @Body() { scope = 'this' }: LogoutDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Ok<SignedOut>> {
    this.origins.require(request);
    const token = this.cookies.refreshToken(request);
    await this.sessions.logout(token, claimedContact(request), scope, visitorOf(request));
    if (scope !== 'others') this.cookies.clear(reply);
    return ok({ signed_out: true });
  }
}

/** Whom the bearer token names, if there is one: unverified, for it only serves to refuse. */
function claimedContact({ headers }: FastifyRequest): string | undefined {
  if (headers.authorization === undefined) return undefined;
  try {
    return decodeJwt(bearerToken(headers.authorization) ?? '').sub ?? '';
  } catch {
    return '';
  }
}
