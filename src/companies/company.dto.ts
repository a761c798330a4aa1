// What clients send to create and patch a company, and what they get back.
import { ApiProperty, PickType } from '@nestjs/swagger';
import { NumberBetween, Slug, Text } from '../common/fields.js';

/** Money: up to ten trillion with two decimals, exact in JSON numbers. */
const AMOUNT = { min: 0, max: 9_999_999_999_999.99, decimals: 2, nullable: true } as const;

class CompanyFields {
  @Text({ max: 253, nullable: true, example: 'acme.com' })
  domain?: string | null;

  @Text({ max: 200, nullable: true })
  industry?: string | null;

  @NumberBetween({ min: 0, max: 2_147_483_647, integer: true, nullable: true })
  employee_count?: number | null;

  @Text({ max: 100, nullable: true })
  revenue_range?: string | null;

  @Slug({ description: 'client, prospect (default), partner or any other slug.' })
  company_type?: string;

  @Slug({ description: 'Default active.' })
  status?: string;

  @Slug({ nullable: true })
  product?: string | null;

  @Text({ max: 100, description: 'Default manual.' })
  source?: string;

  @NumberBetween({ min: 0, max: 100, integer: true, description: 'Default 50.' })
  health_score?: number;

  @NumberBetween(AMOUNT)
  monthly_revenue?: number | null;

  @NumberBetween(AMOUNT)
  total_contract_value?: number | null;

  @Text({ max: 20_000, multiline: true, nullable: true })
  notes?: string | null;
}

export class CreateCompanyDto extends CompanyFields {
  @Text({ max: 300, required: true, example: 'Acme Corp' })
  name: string;
}

export class PatchCompanyDto extends CompanyFields {
  @Text({ max: 300, example: 'Acme Corp' })
  name?: string;
}

const text = { type: 'string', nullable: true } as const;
const amount = { type: 'number', nullable: true, example: 4500.5 } as const;

/** A company as lists answer it. */
export class CompanyItem {
  @ApiProperty({ example: 'co_e5f6g7h8' }) id: string;
  @ApiProperty({ example: 'Acme Corp' }) name: string;
  @ApiProperty({ ...text, example: 'acme.com' }) domain: string | null;
  @ApiProperty(text) industry: string | null;
  @ApiProperty({ type: 'integer', nullable: true }) employee_count: number | null;
  @ApiProperty(text) revenue_range: string | null;
  @ApiProperty({ example: 'client' }) company_type: string;
  @ApiProperty({ example: 'active' }) status: string;
  @ApiProperty(text) product: string | null;
  @ApiProperty({ example: 'manual' }) source: string;
  @ApiProperty({ type: 'integer', example: 50 }) health_score: number;
  @ApiProperty(amount) monthly_revenue: number | null;
  @ApiProperty(amount) total_contract_value: number | null;
  @ApiProperty(text) notes: string | null;
  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' }) created_at: string;
  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' }) updated_at: string;
}

/** A whole company, as `GET /api/companies/:id` answers it. */
export class CompanyDetail extends CompanyItem {
  @ApiProperty({ type: 'integer', example: 12 }) contacts_count: number;
}

/** All a portal user knows of its company: every other field is ours, and does not exist for it. */
export const PORTAL_COMPANY_FIELDS = [
  'id',
  'name',
  'domain',
  'industry',
  'employee_count',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof CompanyItem)[];

/** A company as a portal user reads it: its facts, not what we note, earn and expect. */
export class PortalCompany extends PickType(CompanyItem, PORTAL_COMPANY_FIELDS) {}

/** What a create answers. */
export class CreatedCompany extends PickType(CompanyItem, ['id', 'name'] as const) {}

/** What a patch answers. */
export class UpdatedCompany {
  @ApiProperty({ example: 'co_e5f6g7h8' }) id: string;
  @ApiProperty({ enum: [true] }) updated: true;
}
