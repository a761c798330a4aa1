// A contact as stored; rules and generated columns (full_name) belong to the migrations.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { PortalRole } from '../auth/caller.js';

@Entity('contact')
export class Contact {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'contact_pk' })
  id: string;

  /** Canonical form; unique. */
  @Column({ type: 'text', nullable: true, collation: 'C' })
  email: string | null;

  @Column({ type: 'text', nullable: true, collation: 'C' })
  company_id: string | null;

  @Column('text', { nullable: true })
  first_name: string | null;

  @Column('text', { nullable: true })
  last_name: string | null;

  /** The full name somebody gave; null when it is first and last name together. */
  @Column('text', { nullable: true })
  full_name_override: string | null;

  @Column('text', { nullable: true })
  title: string | null;

  @Column('text', { nullable: true })
  role: string | null;

  @Column('text', { nullable: true })
  department: string | null;

  @Column('text', { nullable: true })
  phone: string | null;

  @Column('text', { default: 'end_user' })
  contact_type: string;

  @Column('text', { default: 'manual' })
  source: string;

  @Column('text', { nullable: true })
  pipeline_stage: string | null;

  @Column('text', { nullable: true })
  funnel_stage: string | null;

  @Column('text', { nullable: true })
  product: string | null;

  @Column('double precision', { nullable: true })
  engagement_score: number | null;

  @Column('timestamptz', { nullable: true })
  last_engagement_at: string | null;

  @Column('text', { nullable: true })
  enrichment_status: string | null;

  @Column('jsonb', { nullable: true })
  enrichment_data: object | null;

  @Column('text', { nullable: true })
  linkedin_url: string | null;

  @Column('text', { nullable: true })
  photo_url: string | null;

  @Column('text', { nullable: true })
  close_lead_id: string | null;

  @Column('text', { nullable: true })
  close_contact_id: string | null;

  /** Comma-separated, without empties or repeats. */
  @Column('text', { nullable: true })
  tags: string | null;

  @Column('text', { nullable: true })
  notes: string | null;

  @Column('smallint', { default: 0 })
  portal_access: number;

  @Column('text', { nullable: true })
  portal_role: PortalRole | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
