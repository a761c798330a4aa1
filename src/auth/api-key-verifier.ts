// Decides whether an API key is good, mostly from memory.
import { timingSafeEqual } from 'node:crypto';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import ipaddr from 'ipaddr.js';
import { ApiKeyChanges } from './api-key-changes.js';
import { hashSecret, parseApiKey } from './api-key-format.js';
import type { ApiKey } from './api-key.entity.js';
import { ApiKeysRepository } from './api-keys.repository.js';
import type { KeyCaller } from './caller.js';
import { RateLimits } from './rate-limits.js';

/** Keys remembered at most; beyond that the oldest is forgotten. */
const CAPACITY = 10_000;
/** `last_used_at` is written at most this often per key, in ms. */
const TOUCH_EVERY = 60_000;

@Injectable()
export class ApiKeyVerifier implements OnApplicationShutdown {
  private readonly logger = new Logger(ApiKeyVerifier.name);
  private readonly remembered = new Map<string, ApiKey>();
  /** What the database is being asked: many requests at once ask for the same key. */
  private readonly asked = new Map<string, Promise<ApiKey | null>>();
  private readonly touchedAt = new Map<string, number>();
  private readonly touching = new Set<Promise<void>>();
  /** Counts changes, so that a row read before a change is not remembered after it. */
  private changes = 0;

  constructor(
    private readonly keys: ApiKeysRepository,
    private readonly feed: ApiKeyChanges,
    private readonly limits: RateLimits,
  ) {
    feed.onChange((keyId) => this.forget(keyId));
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.touching);
  }

  /**
   * The caller behind `text` used from `address`, or null for every fault of the key alike.
   * @throws ApiError 429 when too many wrong keys came from there.
   */
  async verify(text: string, address: string): Promise<KeyCaller | null> {
    const key = await this.findGood(text, address);
    if (!key) {
      await this.limits.countWrongKey(address);
      return null;
    }
    this.touch(key.id);
    return {
      kind: 'key',
      keyId: key.id,
      scopes: key.scopes,
      rateLimit: key.rate_limit,
      networks: key.allowed_cidrs,
      expiresAt: key.expires_at,
    };
  }

  private async findGood(text: string, address: string): Promise<ApiKey | null> {
    const parts = parseApiKey(text);
    const key = parts && (await this.find(parts.id, address));
    return key && isLive(key) && hasSecret(key, parts.secret) && allowsAddress(key, address) ? key : null;
  }

  private async find(id: string, address: string): Promise<ApiKey | null> {
    const known = this.feed.isCurrent ? this.remembered.get(id) : undefined;
    if (known) return known;
    // Those who share the address with somebody who guesses go on with the keys that are known.
    this.limits.requireLookup(address);
    const asked = this.asked.get(id) ?? this.ask(id);
    this.asked.set(id, asked);
    return asked;
  }

  private async ask(id: string): Promise<ApiKey | null> {
    const before = this.changes;
    try {
      const key = await this.keys.findById(id);
      if (key && before === this.changes) this.remember(key);
      return key;
    } finally {
      if (before === this.changes) this.asked.delete(id);
    }
  }

  private remember(key: ApiKey): void {
    if (this.remembered.size >= CAPACITY) {
      const oldest = this.remembered.keys().next().value;
      if (oldest !== undefined) this.forget(oldest);
    }
    this.remembered.set(key.id, key);
  }

  private forget(keyId: string | null): void {
    this.changes += 1;
    this.asked.clear();
    if (keyId === null) this.remembered.clear();
    else this.remembered.delete(keyId);
  }

  private touch(id: string): void {
    const now = Date.now();
    if (now - (this.touchedAt.get(id) ?? 0) < TOUCH_EVERY) return;
    this.touchedAt.set(id, now);
    const work = this.keys
      .touch([id])
      .catch((error: unknown) => this.logger.warn(`Could not note a key's use: ${(error as Error).message}`))
      .finally(() => this.touching.delete(work));
    this.touching.add(work);
  }
}

function isLive(key: ApiKey): boolean {
  return key.revoked_at === null && (key.expires_at === null || key.expires_at.getTime() > Date.now());
}

/** Compares hashes in constant time; the secret before a rotation counts during its overlap. */
function hasSecret(key: ApiKey, secret: string): boolean {
  const hash = hashSecret(secret);
  const overlapping =
    (key.previous_expires_at?.getTime() ?? 0) > Date.now() ? key.previous_secret_hash : null;
  return (
    timingSafeEqual(hash, key.secret_hash) || (overlapping !== null && timingSafeEqual(hash, overlapping))
  );
}

function allowsAddress(key: ApiKey, address: string): boolean {
  if (!key.allowed_cidrs) return true;
  // A trusted proxy may still pass on a forwarded address that is none.
  if (!ipaddr.isValid(address)) return false;
  // `process` turns an IPv4-mapped IPv6 address into the IPv4 address that the list names.
  const client = ipaddr.process(address);
  return key.allowed_cidrs.some((cidr) => {
    const [network, bits] = ipaddr.parseCIDR(cidr);
    return network.kind() === client.kind() && client.match(network, bits);
  });
}
