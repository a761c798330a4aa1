// Writes that are safe to try again: the first answer is kept in the transaction of the write, for its retries.
import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { toApiError } from '../common/error.filter.js';
import { ApiError } from '../common/errors.js';
import { Secrets } from '../common/secrets.js';
import type { Transactional } from '../common/sql.js';
import { callerIdOf } from './current-caller.decorator.js';
import type { Attempt } from './current-attempt.decorator.js';
import { IdempotentWritesRepository, type KeptWrite } from './idempotent-writes.repository.js';

/** What a write answers; `location` goes to the header of that name. */
interface Answer<Body> {
  readonly body: Body;
  readonly location?: string;
}

type Refusal = Pick<ApiError, 'code' | 'message' | 'field' | 'details'>;

/** What came of a write, now or before: its answer, or why it was refused. */
type Outcome<Body> = (Answer<Body> | { readonly refusal: Refusal }) & { readonly isReplay?: true };

/** Seconds until it makes sense to ask again what became of a write that is still running. */
const RETRY_AFTER = 1;

@Injectable()
export class IdempotentWritesService {
  constructor(
    private readonly writes: IdempotentWritesRepository,
    private readonly secrets: Secrets,
  ) {}

  /**
   * The body that `work` answers, or that it answered to the first attempt of the same caller with the same key; a
   * refusal (4xx) is kept likewise. What is our own fault (5xx) undoes the work, and the next attempt does it anew.
   * @param work does all it does in `db`, and leaves `db` usable when it throws: what PostgreSQL may refuse runs in
   * `db.transaction()`, a savepoint. Without a key there is no `db`, and it works as if nobody kept anything.
   * @throws ApiError 409 while another attempt is running, 422 for another request with the same key.
   */
  async once<Body>(attempt: Attempt, work: (db?: Transactional) => Promise<Answer<Body>>): Promise<Body> {
    const { key, reply } = attempt;
    const outcome: Outcome<Body> = key === undefined ? await work() : await this.kept(attempt, key, work);
    if (outcome.isReplay) void reply.header('idempotency-replayed', 'true');
    if ('refusal' in outcome) throw new ApiError(outcome.refusal.code, outcome.refusal);
    if (outcome.location !== undefined) void reply.header('location', outcome.location);
    return outcome.body;
  }

  /** What came of the first attempt, which may be this one. */
  private kept<Body>(
    { request }: Attempt,
    key: string,
    work: (db: Transactional) => Promise<Answer<Body>>,
  ): Promise<Outcome<Body>> {
    const id = hash('sha256', `${callerIdOf(request)} ${key}`, 'buffer');
    // Both secrets grow from the key, too, of which we keep only the hash: without the client nobody opens an answer,
    // be it with a new API key or with a person's name, nor finds out what was asked by guessing.
    const fingerprint = this.secrets.derive(
      `idempotent-request ${key}`,
      JSON.stringify([request.method, request.url, request.body]),
    );
    const seal = `idempotent-answer ${key}`;
    return this.writes.transaction(async (db) => {
      if (await this.writes.claim(id, fingerprint, db)) {
        const outcome = await outcomeOf(work(db));
        await this.writes.keep(id, this.secrets.seal(seal, JSON.stringify(outcome)), db);
        return outcome;
      }
      const before = await this.writes.findById(id, db);
      requireSame(before, fingerprint);
      const outcome = JSON.parse(this.secrets.open(seal, before.answer)) as Outcome<Body>;
      return { ...outcome, isReplay: true };
    });
  }
}

function requireSame(before: KeptWrite | null, fingerprint: Buffer): asserts before is KeptWrite {
  if (!before) throw new ApiError('in_progress', { retryAfter: RETRY_AFTER });
  if (!before.fingerprint.equals(fingerprint)) throw new ApiError('idempotency_key_reused');
}

/** @throws whatever is our own fault, and not to be kept. */
async function outcomeOf<Body>(work: Promise<Answer<Body>>): Promise<Outcome<Body>> {
  try {
    return await work;
  } catch (error) {
    const { status, code, message, field, details } = toApiError(error);
    if (status >= 500) throw error;
    return { refusal: { code, message, field, details } };
  }
}
