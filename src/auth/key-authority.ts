// What a key may hand on: no more than it may itself, not from elsewhere, and not for longer.
import { isWithin } from '../common/client-network.js';
import { ApiError } from '../common/errors.js';
import type { KeyCaller, Scope } from './caller.js';

/** What bounds the use of a key. */
export interface KeyBounds {
  readonly scopes: readonly Scope[];
  /** Networks in CIDR notation; null for any. */
  readonly allowed_cidrs: readonly string[] | null;
  /** Null for never. */
  readonly expires_at: Date | null;
}

/** @throws ApiError 403 when a key with these bounds could do more than the caller, whoever learns its secret. */
export function requireWithin(caller: KeyCaller, { scopes, allowed_cidrs, expires_at }: KeyBounds): void {
  const beyond = scopes.filter((scope) => !caller.scopes.includes(scope));
  if (beyond.length > 0) {
    const message = `A key cannot hand out a scope it lacks: ${beyond.join(', ')}.`;
    throw new ApiError('insufficient_scope', { message, field: 'scopes' });
  }
  const own = caller.networks;
  if (own && !allowed_cidrs?.every((network) => isWithin(network, own))) {
    const message = `A key cannot hand out a use from networks other than its own: ${own.join(', ')}.`;
    throw new ApiError('forbidden', { message, field: 'allowed_cidrs' });
  }
  const end = caller.expiresAt;
  if (end && (expires_at === null || expires_at > end)) {
    const message = `A key cannot hand out a use beyond its own end, ${end.toISOString()}.`;
    throw new ApiError('forbidden', { message, field: 'expires_at' });
  }
}
