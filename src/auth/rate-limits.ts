// How often each caller may ask, and each network may be wrong about a key.
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { clientNetwork } from '../common/client-network.js';
import { ApiError } from '../common/errors.js';
import { limitHit } from '../common/signals.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import type { Caller } from './caller.js';
import { SharedBuckets, type Taken, WINDOW } from './shared-buckets.js';

@Injectable()
export class RateLimits {
  constructor(
    private readonly buckets: SharedBuckets,
    @Inject(ENV) private readonly env: Env,
  ) {}

  /**
   * Counts a request of `caller` and tells it what is left, as draft-ietf-httpapi-ratelimit-headers-11 writes it.
   * @throws ApiError 429 when nothing was left.
   */
  async count(caller: Caller, reply: FastifyReply): Promise<void> {
    const limit = this.limitOf(caller);
    if (limit === 0) return;
    const [policy, id] =
      caller.kind === 'key' ? (['key', caller.keyId] as const) : (['user', caller.contactId] as const);
    const taken = await this.buckets.take(`${policy}:${id}`, limit);
    void reply.header('ratelimit-policy', `"${policy}";q=${limit};w=${WINDOW / 1000}`);
    void reply.header('ratelimit', `"${policy}";r=${taken.left};t=${wholeSeconds(taken)}`);
    if (!taken.isGranted) throw refusal(policy, wholeSeconds(taken));
  }

  /**
   * Counts a wrong key from `address`; so nobody can look for keys, or keep the database busy with it.
   * @throws ApiError 429 when there were too many.
   */
  async countWrongKey(address: string): Promise<void> {
    const limit = this.env.RATE_LIMIT_WRONG_KEYS;
    if (limit === 0) return;
    const taken = await this.buckets.take(bucketOf(address), limit);
    if (!taken.isGranted) throw refusal('wrong_keys', wholeSeconds(taken));
  }

  /** @throws ApiError 429 when `address` sent so many wrong keys that no further one is looked up. */
  requireLookup(address: string): void {
    const limit = this.env.RATE_LIMIT_WRONG_KEYS;
    if (limit > 0 && this.buckets.isEmpty(bucketOf(address), limit))
      throw refusal('wrong_keys', WINDOW / 1000 / limit);
  }

  /** Requests a minute; 0 for any number. */
  private limitOf(caller: Caller): number {
    return caller.kind === 'key' ? (caller.rateLimit ?? this.env.RATE_LIMIT_KEY) : this.env.RATE_LIMIT_USER;
  }
}

function bucketOf(address: string): string {
  return `wrong-keys:${clientNetwork(address)}`;
}

function wholeSeconds({ nextIn }: Taken): number {
  return Math.max(1, Math.ceil(nextIn));
}

function refusal(limit: 'key' | 'user' | 'wrong_keys', seconds: number): ApiError {
  limitHit.tell({ limit });
  return new ApiError('rate_limited', { retryAfter: Math.max(1, Math.ceil(seconds)) });
}
