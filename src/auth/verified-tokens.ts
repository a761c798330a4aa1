// Portal tokens whose signature and claims were found good: verifying one costs more than all else in a request.
import { Injectable } from '@nestjs/common';
import { VerificationKeys } from './verification-keys.js';

export interface Claims {
  readonly sub: unknown;
  readonly sid: unknown;
  /** Seconds since 1970. */
  readonly exp: number;
}

/** Tokens remembered at most; beyond that the one least recently used is forgotten. */
const CAPACITY = 5_000;

interface Verified {
  /** As it was first sent: the text of each further request is part of that request. */
  readonly token: string;
  readonly claims: Claims;
  readonly until: number;
  readonly keys: object;
}

/** Only what a token says is remembered, never that its session is alive. */
@Injectable()
export class VerifiedTokens {
  /** By the token, the least recently used first. */
  private readonly claims = new Map<string, Verified>();

  constructor(private readonly keys: VerificationKeys) {}

  /** What the token says; undefined unless it was verified by the keys that are valid still, and has not expired. */
  recall(token: string): Claims | undefined {
    const known = this.claims.get(token);
    if (!known) return undefined;
    this.claims.delete(token);
    if (known.keys !== this.keys.current || known.until <= Date.now()) return undefined;
    this.claims.set(known.token, known);
    return known.claims;
  }

  /** @param until when it expires, in ms since 1970. */
  remember(token: string, claims: Claims, until: number): void {
    const keys = this.keys.current;
    if (!keys) return;
    this.claims.set(token, { token, claims, until, keys });
    const leastUsed = this.claims.keys().next().value;
    if (this.claims.size > CAPACITY && leastUsed !== undefined) this.claims.delete(leastUsed);
  }
}
