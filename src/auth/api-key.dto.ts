// What clients send to manage API keys, and what they get back.
import { ApiProperty, PickType } from '@nestjs/swagger';
import { MAX_RATE_LIMIT } from '../config/env.js';
import { isNetwork } from '../common/client-network.js';
import { ListOf, NumberBetween, Text, Timestamp } from '../common/fields.js';
import type { RuleOptions } from '../common/rule.js';
import type { ApiKey } from './api-key.entity.js';
import { SCOPES, type Scope } from './caller.js';

const DAY = 86_400;

const RateLimit = (options: RuleOptions = {}): PropertyDecorator =>
  NumberBetween({
    min: 0,
    max: MAX_RATE_LIMIT,
    integer: true,
    nullable: true,
    description: 'Requests a minute; 0 for any number, null for the default.',
    example: 600,
    ...options,
  });

export class CreateApiKeyDto {
  @Text({ max: 100, required: true, description: 'What the key is for.', example: 'billing backend' })
  name: string;

  @ListOf({
    required: true,
    words: SCOPES,
    description: 'What the key may do: nothing but this, and nothing its maker may not.',
    example: ['contacts:read'],
  })
  scopes: Scope[];

  @Timestamp({ nullable: true, description: 'When the key ends; if absent, when its maker does, or never.' })
  expires_at?: string | null;

  @ListOf({
    nullable: true,
    accepts: isNetwork,
    expected: 'networks in CIDR notation such as 10.0.0.0/8',
    description: 'Networks the key may be used from; if absent, those of its maker, or any.',
    example: ['10.0.0.0/8'],
  })
  allowed_cidrs?: string[] | null;

  @RateLimit()
  rate_limit?: number | null;
}

export class PatchApiKeyDto {
  @RateLimit({ required: true })
  rate_limit: number | null;
}

export class RotateApiKeyDto {
  static readonly bodyOptional = true;

  @NumberBetween({
    min: 0,
    max: 30 * DAY,
    integer: true,
    description: 'How long the old secret stays good beside the new one, in seconds; default one day.',
  })
  overlap_seconds?: number;
}

export const DEFAULT_OVERLAP = DAY;

const moment = { type: 'string', format: 'date-time', nullable: true } as const;

/** A key without its secret. */
export class ApiKeyView {
  @ApiProperty({ example: 'k3v9x2m4q8r1' }) id: string;
  @ApiProperty({ example: 'billing backend' }) name: string;
  @ApiProperty({ type: [String], enum: SCOPES }) scopes: Scope[];
  @ApiProperty({ type: 'array', items: { type: 'string' }, nullable: true }) allowed_cidrs:
    readonly string[] | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Requests a minute; null for the default.' })
  rate_limit: number | null;
  @ApiProperty({ format: 'date-time' }) created_at: string;
  @ApiProperty(moment) expires_at: string | null;
  @ApiProperty(moment) last_used_at: string | null;
  @ApiProperty(moment) revoked_at: string | null;
  @ApiProperty({ ...moment, description: 'Until when the secret before the last rotation is good.' })
  previous_expires_at: string | null;
}

/** A key just made or rotated: the only time its text is shown. */
export class IssuedApiKey extends ApiKeyView {
  @ApiProperty({ example: 'smk_k3v9x2m4q8r1_…' }) key: string;
}

export class ApiKeyList {
  @ApiProperty({ type: [ApiKeyView] }) items: ApiKeyView[];
}

export class RevokedApiKey extends PickType(ApiKeyView, ['id'] as const) {
  @ApiProperty({ enum: [true] }) revoked: true;
}

/** What may be told of a stored key. */
export function viewOf(key: ApiKey): ApiKeyView {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    allowed_cidrs: key.allowed_cidrs,
    rate_limit: key.rate_limit,
    created_at: key.created_at.toISOString(),
    expires_at: key.expires_at?.toISOString() ?? null,
    last_used_at: key.last_used_at?.toISOString() ?? null,
    revoked_at: key.revoked_at?.toISOString() ?? null,
    previous_expires_at: key.previous_expires_at?.toISOString() ?? null,
  };
}
