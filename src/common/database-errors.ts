// What PostgreSQL refuses, and what becomes of it: the answer the contract gives, and whether asking again is safe.
import { DatabaseError } from 'pg';
import { ApiError } from './errors.js';

/** Named constraint → answer. The database settles races, so its refusal is the rule, not a fallback. */
const CONSTRAINTS: Record<string, () => ApiError> = {
  contact_email_or_company_ck: () => new ApiError('email_or_company_required', { field: 'email' }),
  contact_portal_email_ck: () => new ApiError('portal_access_needs_email', { field: 'portal_access' }),
  contact_company_fk: () => new ApiError('company_not_found', { field: 'company_id' }),
  contact_email_uq: () => new ApiError('email_taken', { field: 'email' }),
};

/** SQLSTATE classes and codes that mean "not now", as docs/operations.md lists them; all others are faults of ours. */
const UNAVAILABLE = /^(08|25006|25P0[34]|28|3D000|40001|40003|40P01|53|55P03|57|58)/;
/** The same from the socket or from pg itself, which reports them without an SQLSTATE. */
const CONNECTION =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|Connection terminated|timeout exceeded|timeout expired|read timeout|not queryable|Client was closed|Driver not Connected/i;

/** What ends a session, or spoils it: a later statement there would fail for what befell this one. */
const SPOILED = /^(08|25P0[34]|57P|26000)/;
/** A statement refused so has left nothing behind, nor has its transaction, and may succeed when it is tried again. */
const ROLLED_BACK = /^(40001|40P01|25006|26000)/;
/** What befell the session, or is the matter with the server: another statement would meet it as well, or take as long. */
const OF_ALL = /^(08|25|26|28|3D|40003|53|57|58)/;
/** Alike in most of the server's languages. */
const ENDING = /^(FATAL|PANIC)$/;
/** PostgreSQL itself ended the session, while it was idle or in the middle of the statement. A pooler says the same and knows less. */
const ENDED = /^(25P0[34]|57P01|57P05)/;

interface PgFault {
  code?: string;
  constraint?: string;
  message?: string;
}

/** No connection was to be had, for whatever reason: nothing was asked of the database. */
export class NoConnection extends Error {
  override name = 'NoConnection';
  /** SQLSTATE, or that of the socket. */
  readonly code?: string;

  constructor(cause: unknown) {
    super((cause as Error).message, { cause });
    this.code = (cause as PgFault).code;
  }
}

/** The name of the constraint `error` broke, if it broke one. */
export function brokenConstraint(error: unknown): string | undefined {
  return fault(error).constraint;
}

/** The answer for a database error, or undefined when it is a fault of ours. */
export function fromDatabase(error: unknown): ApiError | undefined {
  const { code = '', constraint = '', message = '' } = fault(error);
  const known = CONSTRAINTS[constraint];
  if (known) return known();
  return error instanceof NoConnection || UNAVAILABLE.test(code) || CONNECTION.test(`${code} ${message}`)
    ? new ApiError('unavailable')
    : undefined;
}

/** Whether the session, or what was prepared on it, is at fault, so that no other statement should be sent there. */
export function spoilsConnection(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return SPOILED.test(error.code ?? '') || isOutdated(error);
}

/**
 * Whether the server says that it has not done what it was asked, and may do it if asked again. For a COMMIT see
 * `isUndoneCommit`: a session may also be ended just after one.
 */
export function isUndone(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  const { code = '', routine } = error;
  return ROLLED_BACK.test(code) || isOutdated(error) || (ENDED.test(code) && routine === 'ProcessInterrupts');
}

/** The same of a COMMIT. */
export function isUndoneCommit(error: unknown): boolean {
  return error instanceof DatabaseError && ROLLED_BACK.test(error.code ?? '');
}

/** Whether a statement was refused, and did nothing, for what may be the fault of one of those it was for. */
export function isOfOneAmongMany(error: unknown): boolean {
  const cause = fault(error);
  // What ends a session may come after the commit.
  return (
    cause instanceof DatabaseError && !OF_ALL.test(cause.code ?? '') && !ENDING.test(cause.severity ?? '')
  );
}

/** Whether a statement was given up without any word of the server, behind which nothing else would be answered. */
export function isUnanswered(error: unknown): boolean {
  // pg has no code for it.
  return error instanceof Error && error.message === 'Query read timeout';
}

/** "cached plan must not change result type", in whatever language the server speaks. */
const isOutdated = ({ code, routine }: DatabaseError): boolean =>
  code === '0A000' && routine === 'RevalidateCachedQuery';

function fault(error: unknown): PgFault {
  if (typeof error !== 'object' || error === null) return {};
  const { driverError } = error as { driverError?: unknown };
  return driverError ?? error;
}
