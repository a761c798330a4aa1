// Turns what PostgreSQL refuses into the answer the contract gives for it.
import { ApiError } from './errors.js';

/** Named constraint → answer. The database settles races, so its refusal is the rule, not a fallback. */
const CONSTRAINTS: Record<string, () => ApiError> = {
  contact_email_or_company_ck: () => new ApiError('email_or_company_required', { field: 'email' }),
  contact_portal_email_ck: () => new ApiError('portal_access_needs_email', { field: 'portal_access' }),
  contact_company_fk: () => new ApiError('company_not_found', { field: 'company_id' }),
  contact_email_uq: () => new ApiError('email_taken', { field: 'email' }),
};

/** SQLSTATE classes and codes that mean "not now": connection, resources, shutdown, read-only after a failover. */
const UNAVAILABLE = /^(08|53|57P|57014|25006|25P03|55P03|40001|40P01)/;
/** The same from the socket, from pg or from TypeORM (a transaction whose connection broke), without an SQLSTATE. */
const CONNECTION =
  /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|Connection terminated|timeout exceeded|read timeout|not queryable|Client was closed|Driver not Connected|already released/i;

interface PgFault {
  code?: string;
  constraint?: string;
  message?: string;
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
  return UNAVAILABLE.test(code) || CONNECTION.test(`${code} ${message}`)
    ? new ApiError('unavailable')
    : undefined;
}

function fault(error: unknown): PgFault {
  if (typeof error !== 'object' || error === null) return {};
  const { driverError } = error as { driverError?: unknown };
  return driverError ?? error;
}
