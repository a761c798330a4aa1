// What sign-in and sessions take and answer.
import { ApiExtraModels, ApiProperty } from '@nestjs/swagger';
import { PORTAL_ROLES, type PortalRole } from '../auth/caller.js';
import { OneOf } from '../common/fields.js';
import type { SignInMethod } from './portal-session.entity.js';

export const LOGOUT_SCOPES = ['this', 'others', 'all'] as const;
export type LogoutScope = (typeof LOGOUT_SCOPES)[number];

export class LogoutDto {
  static readonly bodyOptional = true;

  @OneOf(LOGOUT_SCOPES, { description: 'Which of the contact’s sessions end; default this.' })
  scope?: LogoutScope;
}

const text = { type: 'string', nullable: true } as const;

/** The access token as an SPA keeps it in memory; the same token is set as the sm_client cookie. */
export class TokenView {
  @ApiProperty() access_token: string;
  @ApiProperty({ enum: ['Bearer'] }) token_type: 'Bearer';
  @ApiProperty({ type: 'integer', example: 900, description: 'Seconds.' }) expires_in: number;
}

class SessionCompany {
  @ApiProperty({ example: 'co_e5f6g7' }) id: string;
  @ApiProperty({ example: 'Acme Corp' }) name: string;
}

/** Who is signed in. */
@ApiExtraModels(SessionCompany)
export class WhoAmI {
  @ApiProperty({ example: 'ct_a1b2c3d4' }) id: string;
  @ApiProperty({ ...text, example: 'jane@acme.com' }) email: string | null;
  @ApiProperty({ ...text, example: 'Jane Smith' }) name: string | null;
  @ApiProperty(text) avatar: string | null;
  @ApiProperty({ anyOf: [{ $ref: '#/components/schemas/SessionCompany' }, { type: 'null' }] })
  company: SessionCompany | null;
  @ApiProperty({ enum: PORTAL_ROLES }) portal_role: PortalRole;
  @ApiProperty({ type: [String], example: ['crm'] }) products: string[];
}

export class SessionView {
  @ApiProperty({ example: 'ses_k3v9x2m4q8r1a7b2' }) id: string;
  @ApiProperty({ enum: ['magic_link', 'google'] }) method: SignInMethod;
  @ApiProperty(text) client_address: string | null;
  @ApiProperty(text) user_agent: string | null;
  @ApiProperty({ format: 'date-time' }) created_at: string;
  @ApiProperty({ format: 'date-time' }) last_used_at: string;
  @ApiProperty({ format: 'date-time' }) expires_at: string;
  @ApiProperty({ description: 'Whether it is the session of this request.' }) current: boolean;
}

export class SessionList {
  @ApiProperty({ type: [SessionView] }) items: SessionView[];
}

export class EndedSession {
  @ApiProperty({ example: 'ses_k3v9x2m4q8r1a7b2' }) id: string;
  @ApiProperty({ enum: [true] }) ended: true;
}

export class SignedOut {
  @ApiProperty({ enum: [true] }) signed_out: true;
}
