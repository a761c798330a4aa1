// An account at an identity provider that signs in a contact; dropped when the contact's e-mail changes.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('portal_identity')
export class PortalIdentity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'portal_identity_pk' })
  issuer: string;

  /** The provider's lasting name of the account; its e-mail address may change. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'portal_identity_pk' })
  subject: string;

  @Column({ type: 'text', collation: 'C' })
  contact_id: string;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;
}
