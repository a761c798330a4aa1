// How often each caller may ask, and each network may be wrong about a key or a sign-in.
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
    const policy = caller.kind === 'key' ? 'key' : 'user';
    const name = caller.kind === 'key' ? `key:${caller.keyId}` : userBucket(caller.contactId);
    const taken = await this.buckets.take(name, limit);
    void reply.header('ratelimit-policy', `"${policy}";q=${limit};w=${WINDOW / 1000}`);
    void reply.header('ratelimit', `"${policy}";r=${taken.left};t=${wholeSeconds(taken)}`);
    if (!taken.isGranted) throw refusal(policy, wholeSeconds(taken));
  }

  /**
   * Counts a request that a contact makes without its access token, as refreshing one is.
   * @throws ApiError 429 when nothing was left.
   */
  countUser(contactId: string): Promise<void> {
    return this.take('user', userBucket(contactId), this.env.RATE_LIMIT_USER);
  }

  /**
   * Counts a sign-in from `address` that is refused; so nobody can fill the audit log with them.
   * @throws ApiError 429 when there were too many.
   */
  countRefusedSignIn(address: string): Promise<void> {
    return this.take('sign_ins', signInBucket(address), this.env.RATE_LIMIT_SIGN_INS);
  }

  /** @throws ApiError 429 when so many sign-ins from `address` were refused that nothing more is guessed. */
  requireGuess(address: string): void {
    this.requireLeft('sign_ins', signInBucket(address), this.env.RATE_LIMIT_SIGN_INS);
  }

  /**
   * Counts a sign-in mail that is asked for from `address`: requests for one address wait for each other in the database,
   * and nobody may keep all connections waiting.
   * @throws ApiError 429 when there were too many.
   */
  countMailRequest(address: string): Promise<void> {
    const name = `sign-in-mails:${clientNetwork(address)}`;
    return this.take('sign_in_mail', name, this.env.RATE_LIMIT_SIGN_INS);
  }

  /**
   * Counts a wrong key from `address`; so nobody can look for keys, or keep the database busy with it.
   * @throws ApiError 429 when there were too many.
   */
  countWrongKey(address: string): Promise<void> {
    return this.take('wrong_keys', wrongKeyBucket(address), this.env.RATE_LIMIT_WRONG_KEYS);
  }

  /** @throws ApiError 429 when `address` sent so many wrong keys that no further one is looked up. */
  requireLookup(address: string): void {
    this.requireLeft('wrong_keys', wrongKeyBucket(address), this.env.RATE_LIMIT_WRONG_KEYS);
  }

  private requireLeft(policy: Policy, name: string, limit: number): void {
    if (limit > 0 && this.buckets.isEmpty(name, limit)) throw refusal(policy, WINDOW / 1000 / limit);
  }

  private async take(policy: Policy, name: string, limit: number): Promise<void> {
    if (limit === 0) return;
    const taken = await this.buckets.take(name, limit);
    if (!taken.isGranted) throw refusal(policy, wholeSeconds(taken));
  }

  /** Requests a minute; 0 for any number. */
  private limitOf(caller: Caller): number {
    return caller.kind === 'key' ? (caller.rateLimit ?? this.env.RATE_LIMIT_KEY) : this.env.RATE_LIMIT_USER;
  }
}

type Policy = 'key' | 'user' | 'wrong_keys' | 'sign_ins' | 'sign_in_mail';

function userBucket(contactId: string): string {
  return `user:${contactId}`;
}

function wrongKeyBucket(address: string): string {
  return `wrong-keys:${clientNetwork(address)}`;
}

function signInBucket(address: string): string {
  return `sign-ins:${clientNetwork(address)}`;
}

function wholeSeconds({ nextIn }: Taken): number {
  return Math.max(1, Math.ceil(nextIn));
}

function refusal(limit: Policy, seconds: number): ApiError {
  limitHit.tell({ limit });
  return new ApiError('rate_limited', { retryAfter: Math.max(1, Math.ceil(seconds)) });
}
