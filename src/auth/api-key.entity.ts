// An API key as stored: never the secret, only its SHA-256.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Scope } from './caller.js';

@Entity('api_key')
export class ApiKey {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'api_key_pk' })
  id: string;

  @Column('text')
  name: string;

  @Column('bytea')
  secret_hash: Buffer;

  /** The secret before the last rotation, good until `previous_expires_at`. */
  @Column('bytea', { nullable: true })
  previous_secret_hash: Buffer | null;

  @Column('timestamptz', { nullable: true })
  previous_expires_at: Date | null;

  @Column('text', { array: true })
  scopes: Scope[];

  /** Networks the key may be used from; null means anywhere. */
  @Column('text', { array: true, nullable: true })
  allowed_cidrs: readonly string[] | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { nullable: true })
  expires_at: Date | null;

  /** Requests a minute, 0 for any number; null means the service's default. */
  @Column('integer', { nullable: true })
  rate_limit: number | null;

  /** Written at most once a minute. */
  @Column('timestamptz', { nullable: true })
  last_used_at: Date | null;

  @Column('timestamptz', { nullable: true })
  revoked_at: Date | null;
}
