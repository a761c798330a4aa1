// Every error this API answers: one table of codes, and the exception that carries one of them.

interface ErrorKind {
  readonly status: number;
  readonly message: string;
}

/** code → HTTP status and default message. Codes are part of the contract: add, never rename. */
export const ERRORS = {
  invalid_request: { status: 400, message: 'The request is not valid.' },
  invalid_json: { status: 400, message: 'The body is not valid JSON.' },
  malformed_url: { status: 400, message: 'The URL is not valid percent-encoded UTF-8.' },
  malformed_request: { status: 400, message: 'The request is not valid HTTP.' },
  empty_patch: { status: 400, message: 'The body names no field to change.' },
  email_or_company_required: { status: 400, message: 'A contact needs an email or a company_id.' },
  portal_access_needs_email: { status: 400, message: 'A contact with portal_access needs an email.' },
  ambiguous_credentials: { status: 400, message: 'Send an API key or a portal token, not both.' },
  unauthenticated: { status: 401, message: 'Send a valid API key in X-SM-Key, or a valid portal token.' },
  sign_in_failed: { status: 401, message: 'The link or code is not valid, or no longer. Ask for a new one.' },
  forbidden: { status: 403, message: 'This caller may not do that.' },
  insufficient_scope: { status: 403, message: 'The API key lacks the scope for this.' },
  not_found: { status: 404, message: 'There is no such thing.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  email_taken: { status: 409, message: 'Another contact has this email.' },
  in_progress: {
    status: 409,
    message: 'A request with this Idempotency-Key is still running. Try again after Retry-After seconds.',
  },
  precondition_failed: { status: 412, message: 'This has changed since the ETag in If-Match was read.' },
  body_too_large: { status: 413, message: 'The body is too large.' },
  url_too_long: { status: 414, message: 'The URL is too long.' },
  unsupported_media_type: { status: 415, message: 'Send the body as application/json.' },
  company_not_found: { status: 422, message: 'There is no company with this company_id.' },
  idempotency_key_reused: {
    status: 422,
    message: 'Another request was sent with this Idempotency-Key. Send a new key with each.',
  },
  too_many_requests: { status: 429, message: 'Too many requests. Try again after Retry-After seconds.' },
  rate_limited: { status: 429, message: 'This is more than the limit. Try again after Retry-After seconds.' },
  headers_too_large: { status: 431, message: 'The request headers are too large.' },
  internal_error: { status: 500, message: 'Something went wrong on our side.' },
  overloaded: { status: 503, message: 'There is more to do than can be done. Try again shortly.' },
  unavailable: { status: 503, message: 'The service cannot answer right now. Try again shortly.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** What may be wrong with one field, in `details`. Part of the contract as well. */
export const FAULT_CODES = [
  'unknown_field',
  'unknown_parameter',
  'repeated_parameter',
  'wrong_type',
  'bad_format',
  'too_long',
  'out_of_range',
  'required',
  'not_nullable',
  'not_with_cursor',
  'changed',
  'too_deep',
  'email_or_company_required',
  'portal_access_needs_email',
] as const;
export type FaultCode = (typeof FAULT_CODES)[number];

/** One fault of a request; `code` is stable, `message` is for people. */
export interface Fault {
  field: string;
  code: FaultCode;
  message: string;
}

interface ErrorOptions {
  message?: string;
  field?: string;
  details?: readonly object[];
  /** Seconds until another try makes sense, for the Retry-After header. */
  retryAfter?: number;
}

/** An answer other than success. Thrown anywhere, written by the ErrorFilter. */
export class ApiError extends Error {
  readonly status: number;
  readonly field?: string;
  readonly details?: readonly object[];
  readonly retryAfter?: number;

  constructor(
    readonly code: ErrorCode,
    options: ErrorOptions = {},
  ) {
    super(options.message ?? ERRORS[code].message);
    this.status = ERRORS[code].status;
    this.field = options.field;
    this.details = options.details;
    this.retryAfter = options.retryAfter;
  }

  /** The 400 that lists every fault of a request at once. */
  static invalid(faults: readonly Fault[]): ApiError {
    const [first] = faults;
    const message =
      faults.length === 1 && first ? first.message : `The request has ${faults.length} faults; see details.`;
    return new ApiError('invalid_request', { message, field: first?.field, details: faults });
  }
}

/** @throws ApiError 404 when there is no row, be it nowhere or only out of the caller's sight. */
export function found<Row>(row: Row | null, kind: string, id: string): Row {
  if (row !== null) return row;
  throw new ApiError('not_found', { message: `There is no ${kind} ${JSON.stringify(id.slice(0, 100))}.` });
}

/** The failure envelope, `{"ok":false,"error":{…}}`. */
export function errorBody(error: ApiError, requestId: string): object {
  const { code, message, field, details } = error;
  return { ok: false, error: { code, message, field, details, request_id: requestId } };
}
