// The parameters of the audit log's list, and what it answers.
import { ApiProperty } from '@nestjs/swagger';
import { ACTOR_KINDS, AUDIT_EVENTS, type Actor, type AuditEvent } from '../auth/audit-log.js';
import { PageQuery } from '../common/page.js';
import { OneOfParam, TextParam, TimestampParam } from '../common/params.js';

export class AuditQuery extends PageQuery {
  @OneOfParam(AUDIT_EVENTS)
  event?: AuditEvent;

  @TextParam({
    max: 100,
    description: 'What it was done to: the id of a contact or a key.',
    example: 'ct_a1b2c3d4',
  })
  subject_id?: string;

  @TextParam({ max: 100, description: 'Who did it: the id of a contact or a key.' })
  actor_id?: string;

  @TimestampParam({ description: 'After this moment, itself excluded.' })
  after?: string;

  @TimestampParam({ roundedUp: true, description: 'Before this moment, itself excluded.' })
  before?: string;
}

const text = { type: 'string', nullable: true } as const;

class AuditActor {
  @ApiProperty({
    enum: ACTOR_KINDS,
    description: 'operator: the command line; visitor: somebody not signed in.',
  })
  kind: Actor['kind'];
  @ApiProperty(text) id: string | null;
}

/** One thing that was done, as it was written down at the time. */
export class AuditEntry {
  @ApiProperty({ type: 'integer', example: 4711 }) id: number;
  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' }) at: string;
  @ApiProperty({ enum: AUDIT_EVENTS }) event: AuditEvent;
  @ApiProperty() actor: AuditActor;
  @ApiProperty({ ...text, example: 'ct_a1b2c3d4' }) subject_id: string | null;
  @ApiProperty({ ...text, example: '203.0.113.7' }) client_address: string | null;
  @ApiProperty(text) request_id: string | null;
  @ApiProperty({ type: 'object', additionalProperties: true, example: { role: 'client_admin' } })
  details: object;
}
