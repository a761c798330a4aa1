// Why a sign-in with Google ended without a session. The audit log tells the reasons apart, the pages fewer.

export const GOOGLE_REFUSALS = [
  /** The visitor, or Google, said no. */
  'cancelled',
  /** No such attempt in this browser: expired, finished already, or never begun. */
  'stale',
  'unverified_email',
  /** Nobody with portal access has the account's address. */
  'no_contact',
  /** The account is linked to a contact that may not sign in (any more). */
  'no_access',
  /** Google answered something that does not hold. */
  'bad_answer',
  'unreachable',
] as const;
export type RefusalReason = (typeof GOOGLE_REFUSALS)[number];

export class GoogleRefusal extends Error {
  constructor(
    readonly reason: RefusalReason,
    /** The contact concerned, where one is known: for the audit log only. */
    readonly contactId?: string,
  ) {
    super(`Sign-in with Google refused: ${reason}`);
  }
}
