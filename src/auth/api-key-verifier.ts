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

/** A key that is good, and when it ends for the secret that was sent. */
interface Good {
  readonly key: ApiKey;
  readonly expiresAt: Date | null;
}

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
    const good = await this.findGood(text, address);
    if (!good) {
      await this.limits.countWrongKey(address);
      return null;
    }
    const { key, expiresAt } = good;
    this.touch(key.id);
    return {
      kind: 'key',
      keyId: key.id,
      scopes: key.scopes,
      rateLimit: key.rate_limit,
      networks: key.allowed_cidrs,
      expiresAt,
    };
  }

  private async findGood(text: string, address: string): Promise<Good | null> {
    const parts = parseApiKey(text);
    const key = parts && (await this.find(parts.id, address));
    const expiresAt = key && endOf(key, parts.secret);
    if (!key || expiresAt === undefined || key.revoked_at !== null) return null;
    const isOver = expiresAt !== null && expiresAt.getTime() <= Date.now();
    return isOver || !allowsAddress(key, address) ? null : { key, expiresAt };
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

/**
 * When the key ends for whoever has this secret: null for never, undefined where it is none of the key's. The one before
 * a rotation ends with its overlap, and hands out nothing that lasts longer. Hashes are compared in constant time.
 */
function endOf(key: ApiKey, secret: string): Date | null | undefined {
  const hash = hashSecret(secret);
  if (timingSafeEqual(hash, key.secret_hash)) return key.expires_at;
  const { previous_secret_hash: previous, previous_expires_at: overlap, expires_at: end } = key;
  if (!previous || !overlap || !timingSafeEqual(hash, previous)) return undefined;
  return end && end < overlap ? end : overlap;
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
