// What clients send to create and patch a contact, and what they get back.
import { ApiProperty, PartialType, PickType } from '@nestjs/swagger';
import { PORTAL_ROLES, type PortalRole } from '../auth/caller.js';
import {
  EmailAddress,
  Flag,
  HttpUrl,
  Id,
  JsonObject,
  NumberBetween,
  OneOf,
  Slug,
  Tags,
  Text,
  Timestamp,
} from '../common/fields.js';
import type { Contact } from './contact.entity.js';

export class CreateContactDto {
  @EmailAddress({
    nullable: true,
    description: 'Required unless company_id is given. Unique.',
    example: 'jane@acme.com',
  })
  email?: string | null;

  @Id('co', {
    nullable: true,
    description: 'Required unless email is given. Must exist.',
    example: 'co_e5f6g7',
  })
  company_id?: string | null;

  @Text({ max: 200, nullable: true, example: 'Jane' })
  first_name?: string | null;

  @Text({ max: 200, nullable: true, example: 'Smith' })
  last_name?: string | null;

  @Text({ max: 400, nullable: true, description: 'Overrides the concatenation of first and last name.' })
  full_name?: string | null;

  @Text({ max: 200, nullable: true })
  title?: string | null;

  @Text({ max: 200, nullable: true })
  role?: string | null;

  @Text({ max: 200, nullable: true })
  department?: string | null;

  @Text({ max: 50, nullable: true })
  phone?: string | null;

  @Slug({
    description: 'lead, client, candidate, investor, end_user (default) or any other slug.',
    example: 'client',
  })
  contact_type?: string;

  @Text({ max: 100, description: 'Where the contact came from; default manual.', example: 'website' })
  source?: string;

  @Text({ max: 100, nullable: true })
  pipeline_stage?: string | null;

  @Text({ max: 100, nullable: true })
  funnel_stage?: string | null;

  @Slug({ nullable: true, description: 'The product this record is tagged with.' })
  product?: string | null;

  @HttpUrl({ nullable: true })
  linkedin_url?: string | null;

  @Tags({
    nullable: true,
    description: 'Comma-separated; empties and repeats are dropped.',
    example: 'vip,newsletter',
  })
  tags?: string | null;

  @Text({ max: 20_000, multiline: true, nullable: true, description: 'Internal notes.' })
  notes?: string | null;

  @Flag({ description: '1 = can log in to the portal; default 0.' })
  portal_access?: number;

  @OneOf(PORTAL_ROLES, {
    nullable: true,
    description: 'client_viewer when portal_access is 1 and no role is given.',
  })
  portal_role?: PortalRole | null;
}

export class PatchContactDto extends CreateContactDto {
  @NumberBetween({ min: 0, max: 1e15, nullable: true })
  engagement_score?: number | null;

  @Timestamp({ nullable: true, example: '2026-01-31T12:00:00Z' })
  last_engagement_at?: string | null;

  @Text({ max: 100, nullable: true })
  enrichment_status?: string | null;

  @JsonObject(64 * 1024, { nullable: true, description: 'A JSON object of at most 64 KiB.' })
  enrichment_data?: object | null;

  @HttpUrl({ nullable: true })
  photo_url?: string | null;

  @Text({ max: 100, nullable: true })
  close_lead_id?: string | null;

  @Text({ max: 100, nullable: true })
  close_contact_id?: string | null;
}

/** The columns a request sets: the same names, but a given full name is kept apart from the generated one. */
export function toColumns({ full_name, ...same }: PatchContactDto): Partial<Contact> {
  return full_name === undefined ? same : { ...same, full_name_override: full_name };
}

const text = { type: 'string', nullable: true } as const;

/** A whole contact, as `GET /api/contacts/:id` answers it. */
export class ContactDetail {
  @ApiProperty({ example: 'ct_a1b2c3d4' }) id: string;
  @ApiProperty({ ...text, example: 'jane@acme.com' }) email: string | null;
  @ApiProperty({ ...text, example: 'Jane' }) first_name: string | null;
  @ApiProperty({ ...text, example: 'Smith' }) last_name: string | null;
  @ApiProperty({ ...text, example: 'Jane Smith' }) full_name: string | null;
  @ApiProperty({ ...text, example: 'co_e5f6g7' }) company_id: string | null;
  @ApiProperty({ ...text, example: 'Acme Corp' }) company_name: string | null;
  @ApiProperty({ ...text, example: 'Head of Sales' }) title: string | null;
  @ApiProperty(text) role: string | null;
  @ApiProperty(text) department: string | null;
  @ApiProperty(text) phone: string | null;
  @ApiProperty({ example: 'client' }) contact_type: string;
  @ApiProperty({ example: 'manual' }) source: string;
  @ApiProperty(text) pipeline_stage: string | null;
  @ApiProperty(text) funnel_stage: string | null;
  @ApiProperty(text) product: string | null;
  @ApiProperty({
    type: [String],
    description: 'product and the tags that name a configured product, sorted.',
  })
  products: string[];
  @ApiProperty({ type: 'number', nullable: true }) engagement_score: number | null;
  @ApiProperty({ ...text, format: 'date-time' }) last_engagement_at: string | null;
  @ApiProperty(text) enrichment_status: string | null;
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true }) enrichment_data: object | null;
  @ApiProperty(text) linkedin_url: string | null;
  @ApiProperty(text) photo_url: string | null;
  @ApiProperty(text) close_lead_id: string | null;
  @ApiProperty(text) close_contact_id: string | null;
  @ApiProperty({ ...text, example: 'vip,newsletter' }) tags: string | null;
  @ApiProperty(text) notes: string | null;
  @ApiProperty({ type: 'integer', enum: [0, 1], example: 1 }) portal_access: number;
  @ApiProperty({ ...text, enum: [...PORTAL_ROLES, null], example: 'client_admin' })
  portal_role: PortalRole | null;
  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' }) created_at: string;
  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' }) updated_at: string;
}

export type ContactField = keyof ContactDetail;

/** The fields of a list item; exactly these, in this order, unless the caller chooses others. */
export const ITEM_FIELDS = [
  'id',
  'email',
  'full_name',
  'company_id',
  'company_name',
  'contact_type',
  'portal_access',
  'portal_role',
] as const satisfies readonly ContactField[];

export class ContactItem extends PickType(ContactDetail, ITEM_FIELDS) {}

/** All a portal user sees; every other field does not exist for it. */
export const PORTAL_FIELDS = [
  'id',
  'email',
  'first_name',
  'last_name',
  'full_name',
  'title',
  'department',
  'phone',
  'linkedin_url',
  'photo_url',
  'company_id',
  'company_name',
  'contact_type',
  'portal_access',
  'portal_role',
  'products',
  'created_at',
  'updated_at',
] as const satisfies readonly ContactField[];

/** A contact as a portal user sees it. */
export class PortalContact extends PickType(ContactDetail, PORTAL_FIELDS) {}

/** A list item with the fields its caller chose. */
export class ContactFields extends PartialType(ContactDetail) {}

/** What a create answers. */
export class CreatedContact extends PickType(ContactDetail, ['id', 'full_name', 'email'] as const) {}

/** What a patch answers. */
export class UpdatedContact {
  @ApiProperty({ example: 'ct_a1b2c3d4' }) id: string;
  @ApiProperty({ enum: [true] }) updated: true;
}
