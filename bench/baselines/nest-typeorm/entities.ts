// Baseline: the tables as TypeORM entities with a relation between them.
import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  UpdateDateColumn,
} from 'typeorm';

@Entity('company')
export class Company {
  @PrimaryColumn('text')
  id: string;

  @Column('text')
  name: string;
}

@Entity('contact')
export class Contact {
  @PrimaryColumn('text')
  id: string;

  @Column('text', { nullable: true })
  email: string | null;

  @Column('text', { nullable: true })
  first_name: string | null;

  @Column('text', { nullable: true })
  last_name: string | null;

  // A generated column of the table.
  @Column({ type: 'text', nullable: true, insert: false, update: false })
  full_name: string | null;

  @Column('text', { nullable: true })
  company_id: string | null;

  @ManyToOne(() => Company, { nullable: true })
  @JoinColumn({ name: 'company_id' })
  company: Company | null;

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
  last_engagement_at: Date | null;

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

  @Column('text', { nullable: true })
  tags: string | null;

  @Column('text', { nullable: true })
  notes: string | null;

  @Column('smallint', { default: 0 })
  portal_access: number;

  @Column('text', { nullable: true })
  portal_role: string | null;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
