// What the hand-written baseline accepts and answers, as the JSON schemas Fastify validates and serialises with.
import { DETAIL_COLUMNS, ITEM_FIELDS } from '../common.ts';

const text = { type: ['string', 'null'] } as const;

/** A property each: text but for those named here. */
function properties(names: readonly string[], others: Record<string, object>): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, others[name] ?? text]));
}

const answer = (data: object) => ({
  type: 'object',
  properties: { ok: { type: 'boolean' }, data },
});

export const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    page: { type: 'integer', minimum: 1, default: 1 },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 25 },
    company_id: { type: 'string', pattern: '^co_[a-z0-9]{1,32}$' },
    type: { type: 'string', maxLength: 64 },
    source: { type: 'string', maxLength: 100 },
    search: { type: 'string', maxLength: 200 },
  },
};

export const LIST_ANSWER = answer({
  type: 'object',
  properties: {
    items: {
      type: 'array',
      items: { type: 'object', properties: properties(ITEM_FIELDS, { portal_access: { type: 'integer' } }) },
    },
    total: { type: 'integer' },
    page: { type: 'integer' },
    limit: { type: 'integer' },
    hasMore: { type: 'boolean' },
  },
});

export const DETAIL_ANSWER = answer({
  type: 'object',
  properties: properties([...DETAIL_COLUMNS, 'company_name', 'products'], {
    portal_access: { type: 'integer' },
    engagement_score: { type: ['number', 'null'] },
    enrichment_data: { type: ['object', 'null'], additionalProperties: true },
    products: { type: 'array', items: { type: 'string' } },
    last_engagement_at: { type: ['string', 'null'], format: 'date-time' },
    created_at: { type: 'string', format: 'date-time' },
    updated_at: { type: 'string', format: 'date-time' },
  }),
});

const line = { type: 'string', minLength: 1, maxLength: 200 };

const WRITABLE = {
  email: { type: 'string', format: 'email', maxLength: 254 },
  company_id: { type: 'string', pattern: '^co_[a-z0-9]{1,32}$' },
  first_name: line,
  last_name: line,
  title: line,
  department: line,
  phone: line,
  contact_type: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' },
  source: line,
  pipeline_stage: line,
  tags: { type: 'string', maxLength: 2000 },
};

export const CREATE = {
  type: 'object',
  additionalProperties: false,
  properties: WRITABLE,
  required: ['email'],
};
export const PATCH = { type: 'object', additionalProperties: false, properties: WRITABLE, minProperties: 1 };
