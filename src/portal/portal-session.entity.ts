// One sign-in of one contact on one device.
import { Column, Entity, PrimaryColumn } from 'typeorm';

export type SignInMethod = 'magic_link' | 'google';

@Entity('portal_session')
export class PortalSession {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'portal_session_pk' })
  id: string;

  @Column({ type: 'text', collation: 'C' })
  contact_id: string;

  @Column('text')
  method: SignInMethod;

  @Column('inet', { nullable: true })
  client_address: string | null;

  @Column('text', { nullable: true })
  user_agent: string | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { default: () => 'now()' })
  last_used_at: Date;

  /** The session ends when it is not refreshed until then. */
  @Column('timestamptz')
  idle_until: Date;

  /** The session ends then, however busy. */
  @Column('timestamptz')
  expires_at: Date;

  @Column('timestamptz', { nullable: true })
  ended_at: Date | null;

  @Column('text', { nullable: true })
  end_reason: string | null;
}
