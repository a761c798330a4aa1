// A key that signs portal tokens; its private half is sealed.
import type { JWK } from 'jose';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('signing_key')
export class SigningKey {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'signing_key_pk' })
  kid: string;

  /** `next` is published before it signs, `retired` after it has. */
  @Column('text')
  status: 'next' | 'active' | 'retired';

  @Column('jsonb')
  public_jwk: JWK;

  @Column('bytea')
  sealed_private_jwk: Buffer;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { nullable: true })
  retired_at: Date | null;
}
