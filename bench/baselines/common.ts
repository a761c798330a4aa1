// What both baselines know of the contract: fields, ids, products, and how they are started.
import { customAlphabet } from 'nanoid';

/** The eight fields of a list item. */
export const ITEM_FIELDS = [
  'id',
  'email',
  'full_name',
  'company_id',
  'company_name',
  'contact_type',
  'portal_access',
  'portal_role',
] as const;

export const DETAIL_COLUMNS = [
  'id',
  'email',
  'first_name',
  'last_name',
  'full_name',
  'company_id',
  'title',
  'role',
  'department',
  'phone',
  'contact_type',
  'source',
  'pipeline_stage',
  'funnel_stage',
  'product',
  'engagement_score',
  'last_engagement_at',
  'enrichment_status',
  'enrichment_data',
  'linkedin_url',
  'photo_url',
  'close_lead_id',
  'close_contact_id',
  'tags',
  'notes',
  'portal_access',
  'portal_role',
  'created_at',
  'updated_at',
] as const;

export const newId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 8);

const PRODUCTS = (process.env.PORTAL_PRODUCTS ?? '').split(',').filter(Boolean);

/** The product and the tags that name one. */
export function productsOf({ product, tags }: { product: string | null; tags: string | null }): string[] {
  const named = (tags ?? '').split(',').filter((tag) => PRODUCTS.includes(tag));
  return [...new Set(product === null ? named : [...named, product])].toSorted();
}

export const DATABASE_URL = process.env.DATABASE_URL ?? '';
/** As many connections as the service has. They are kept: to close ten holds up whoever is measured ten seconds later. */
export const POOL = { max: 10, idleTimeoutMillis: 0 };
export const PORT = Number(process.env.PORT);
