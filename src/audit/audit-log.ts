// Who did what to whose access, when and from where: append-only, without secrets.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** What is recorded. Part of the contract of GET /api/audit: add, never rename. */
export const AUDIT_EVENTS = [
  'sign_in',
  'sign_in_refused',
  'sign_out',
  'refresh_reuse',
  'portal_access_granted',
  'portal_access_withdrawn',
  'portal_role_changed',
  'key_created',
  'key_rotated',
  'key_revoked',
  'signing_key_rotated',
] as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

export interface Actor {
  readonly kind: 'key' | 'contact' | 'operator' | 'visitor';
  readonly id?: string;
}

/** Where a request came from; absent for the command line. */
export interface Origin {
  readonly address?: string;
  readonly requestId?: string;
}

@Injectable()
export class AuditLog {
  constructor(private readonly db: DataSource) {}

  /** Appends one entry. `details` hold ids and words, never a token, a key or an address somebody typed. */
  async record(
    event: AuditEvent,
    actor: Actor,
    origin: Origin,
    details: Record<string, string | number | null> = {},
    subjectId: string | undefined = actor.id,
  ): Promise<void> {
    await this.db.query(
      `INSERT INTO auth_audit_log (event, actor_kind, actor_id, subject_id, client_address, request_id, details)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [event, actor.kind, actor.id, subjectId, origin.address, origin.requestId, details],
    );
  }
}
