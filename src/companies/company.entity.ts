// A company as stored; rules and generated columns belong to the migrations.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('company')
export class Company {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'company_pk' })
  id: string;

  @Column('text')
  name: string;

  @Column({ type: 'text', nullable: true, collation: 'C' })
  domain: string | null;

  @Column('text', { nullable: true })
  industry: string | null;

  @Column('integer', { nullable: true })
  employee_count: number | null;

  @Column('text', { nullable: true })
  revenue_range: string | null;

  @Column('text', { default: 'prospect' })
  company_type: string;

  @Column('text', { default: 'active' })
  status: string;

  @Column('text', { nullable: true })
  product: string | null;

  @Column('text', { default: 'manual' })
  source: string;

  @Column('smallint', { default: 50 })
  health_score: number;

  @Column('numeric', { precision: 15, scale: 2, nullable: true })
  monthly_revenue: number | null;

  @Column('numeric', { precision: 15, scale: 2, nullable: true })
  total_contract_value: number | null;

  @Column('text', { nullable: true })
  notes: string | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
