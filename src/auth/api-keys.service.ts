// Issues, rotates and revokes API keys.
import { Injectable } from '@nestjs/common';
import { ApiError } from '../common/errors.js';
import type { Transactional } from '../common/sql.js';
import { formatApiKey, hashSecret, newKeyId, newSecret } from './api-key-format.js';
import {
  type ApiKeyView,
  type CreateApiKeyDto,
  DEFAULT_OVERLAP,
  type IssuedApiKey,
  type PatchApiKeyDto,
  type RevokedApiKey,
  type RotateApiKeyDto,
  viewOf,
} from './api-key.dto.js';
import type { ApiKey } from './api-key.entity.js';
import { ApiKeysRepository, type NewApiKey } from './api-keys.repository.js';
import { AuditLog } from './audit-log.js';
import type { KeyCaller } from './caller.js';
import { type KeyBounds, requireWithin } from './key-authority.js';

@Injectable()
export class ApiKeysService {
  constructor(
    private readonly keys: ApiKeysRepository,
    private readonly audit: AuditLog,
  ) {}

  /** Every key without its secret, newest first. */
  async list(): Promise<ApiKeyView[]> {
    return (await this.keys.list()).map(viewOf);
  }

  /**
   * @param outer the transaction it is part of, if it stands and falls with something else.
   * @throws ApiError 403 for scopes, networks or a time beyond the caller's own.
   */
  async create(caller: KeyCaller, dto: CreateApiKeyDto, outer?: Transactional): Promise<IssuedApiKey> {
    const bounds = {
      scopes: dto.scopes,
      allowed_cidrs: dto.allowed_cidrs ?? caller.networks ?? null,
      expires_at: dto.expires_at ? new Date(dto.expires_at) : (caller.expiresAt ?? null),
    };
    requireWithin(caller, bounds);
    const secret = newSecret();
    const secret_hash = hashSecret(secret);
    for (;;) {
      const { name, rate_limit = null } = dto;
      const key = { id: newKeyId(), name, secret_hash, rate_limit, ...bounds };
      const stored = await this.insert(caller, key, outer);
      // An id drawn twice is simply drawn again.
      if (stored) return { ...viewOf(stored), key: formatApiKey({ id: stored.id, secret }) };
    }
  }

  /**
   * Gives a key a new secret, which its caller learns: so never a key that may do more than the caller.
   * @param outer as in `create`.
   * @throws ApiError 404 for a key that is not there or has ended, 403 for one that may do more.
   */
  async rotate(
    caller: KeyCaller,
    id: string,
    dto: RotateApiKeyDto,
    outer?: Transactional,
  ): Promise<IssuedApiKey> {
    const secret = newSecret();
    const overlap = dto.overlap_seconds ?? DEFAULT_OVERLAP;
    const rotated = await this.keys.transaction(async (db) => {
      const key = await this.keys.rotate(id, hashSecret(secret), overlap, db);
      if (!key) return notFound(id);
      requireWithin(caller, key);
      await this.audit.within(db).recordBy(caller, 'key_rotated', id, { overlap_seconds: overlap });
      return key;
    }, outer);
    return { ...viewOf(rotated), key: formatApiKey({ id, secret }) };
  }

  /**
   * Changes how often a key may be used, everywhere within a second.
   * @param outer as in `create`.
   * @throws ApiError 404 for a key that is not there or has ended.
   */
  async patch(
    caller: KeyCaller,
    id: string,
    { rate_limit }: PatchApiKeyDto,
    outer?: Transactional,
  ): Promise<ApiKeyView> {
    const limited = await this.keys.transaction(async (db) => {
      const key = await this.keys.limit(id, rate_limit, db);
      if (key) await this.audit.within(db).recordBy(caller, 'key_limited', id, { rate_limit });
      return key;
    }, outer);
    return limited ? viewOf(limited) : notFound(id);
  }

  /** @throws ApiError 404 for a key that is not there or was revoked before. */
  async revoke(caller: KeyCaller, id: string): Promise<RevokedApiKey> {
    const revoked = await this.keys.transaction(async (db) => {
      const key = await this.keys.revoke(id, db);
      if (key) await this.audit.within(db).recordBy(caller, 'key_revoked', id);
      return key;
    });
    return revoked ? { id: revoked.id, revoked: true } : notFound(id);
  }

  private insert(caller: KeyCaller, key: NewApiKey, outer?: Transactional): Promise<ApiKey | null> {
    return this.keys.transaction(async (db) => {
      const stored = await this.keys.insert(key, db);
      if (stored) await this.audit.within(db).recordBy(caller, 'key_created', key.id, boundsTold(key));
      return stored;
    }, outer);
  }
}

/** For the audit log. */
function boundsTold({ scopes, allowed_cidrs, expires_at }: KeyBounds): Record<string, string> {
  return {
    scopes: scopes.join(','),
    ...(allowed_cidrs && { allowed_cidrs: allowed_cidrs.join(',') }),
    ...(expires_at && { expires_at: expires_at.toISOString() }),
  };
}

function notFound(id: string): never {
  throw new ApiError('not_found', {
    message: `There is no living API key ${JSON.stringify(id.slice(0, 100))}.`,
  });
}
