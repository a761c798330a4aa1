// Who did what to whose access, when and from where: append-only, without secrets.
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Queryable } from '../common/sql.js';
import { type Caller, OPERATOR, type Origin } from './caller.js';

/** What is recorded. Part of the contract of GET /api/audit: add, never rename. */
export const AUDIT_EVENTS = [
  'sign_in',
  'sign_in_refused',
  'sign_out',
  'refresh_reuse',
  'portal_access_granted',
  'portal_access_withdrawn',
  'portal_role_changed',
  'portal_email_changed',
  'portal_company_changed',
  'key_created',
  'key_rotated',
  'key_limited',
  'key_revoked',
  'signing_key_rotated',
] as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

/** `operator` is whoever has the command line, `visitor` whoever has proved nothing. */
export const ACTOR_KINDS = ['key', 'contact', 'operator', 'visitor'] as const;

export interface Actor {
  readonly kind: (typeof ACTOR_KINDS)[number];
  readonly id?: string;
}

/** Ids and words, never a token, a key or an address somebody typed. */
export type Details = Record<string, string | number | null>;

@Injectable()
export class AuditLog {
  constructor(@Inject(DataSource) private readonly db: Queryable) {}

  /** The same log, written in the transaction `db`: the entry stays if, and only if, the change does. */
  within(db: Queryable): AuditLog {
    return new AuditLog(db);
  }

  /** Appends one entry; the subject is the actor itself unless told otherwise. */
  async record(
    event: AuditEvent,
    actor: Actor,
    origin: Origin,
    details: Details = {},
    subjectId: string | undefined = actor.id,
  ): Promise<void> {
    await this.db.query(
      `INSERT INTO auth_audit_log (event, actor_kind, actor_id, subject_id, client_address, request_id, details)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [event, actor.kind, actor.id, subjectId, origin.address, origin.requestId, details],
    );
  }

  /** Appends what `caller` did to the subject. */
  async recordBy(caller: Caller, event: AuditEvent, subjectId: string, details: Details = {}): Promise<void> {
    await this.record(event, actorOf(caller), caller.origin ?? {}, details, subjectId);
  }
}

function actorOf(caller: Caller): Actor {
  if (caller.kind === 'portal') return { kind: 'contact', id: caller.contactId };
  return caller.keyId === OPERATOR.keyId ? { kind: 'operator' } : { kind: 'key', id: caller.keyId };
}
