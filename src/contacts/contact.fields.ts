// Where each field of a contact comes from in SQL, and which of them a portal user may know about.
import type { Caller } from '../auth/caller.js';
import { ApiError, type ErrorCode, type Fault, type FaultCode } from '../common/errors.js';
import type { InputRules } from '../common/input.pipe.js';
import { rulesOf } from '../common/rule.js';
import { type Params, isoTimestamp, jsonObject } from '../common/sql.js';
import { nearest } from '../common/suggest.js';
import {
  type ContactField,
  type CreateContactDto,
  ITEM_FIELDS,
  PatchContactDto,
  PORTAL_FIELDS,
} from './contact.dto.js';

/** Expression per field over `contact c LEFT JOIN company co`; the compiler insists that none is missing. */
const EXPRESSIONS: Record<Exclude<ContactField, 'products'>, string> = {
  id: 'c.id',
  email: 'c.email',
  first_name: 'c.first_name',
  last_name: 'c.last_name',
  full_name: 'c.full_name',
  company_id: 'c.company_id',
  company_name: 'co.name',
  title: 'c.title',
  role: 'c.role',
  department: 'c.department',
  phone: 'c.phone',
  contact_type: 'c.contact_type',
  source: 'c.source',
  pipeline_stage: 'c.pipeline_stage',
  funnel_stage: 'c.funnel_stage',
  product: 'c.product',
  engagement_score: 'c.engagement_score',
  last_engagement_at: isoTimestamp('c.last_engagement_at'),
  enrichment_status: 'c.enrichment_status',
  enrichment_data: 'c.enrichment_data',
  linkedin_url: 'c.linkedin_url',
  photo_url: 'c.photo_url',
  close_lead_id: 'c.close_lead_id',
  close_contact_id: 'c.close_contact_id',
  tags: 'c.tags',
  notes: 'c.notes',
  portal_access: 'c.portal_access',
  portal_role: 'c.portal_role',
  created_at: isoTimestamp('c.created_at'),
  updated_at: isoTimestamp('c.updated_at'),
};

const ALL_FIELDS = [...Object.keys(EXPRESSIONS), 'products'] as ContactField[];

/** The fields of a contact that exist for this caller. */
export function visibleFields(caller: Caller): readonly ContactField[] {
  return caller.kind === 'key' ? ALL_FIELDS : PORTAL_FIELDS;
}

/** The rules for a body with fields of a contact: those the caller does not see do not exist for it. */
export function bodyRules(caller: Caller): { without: readonly string[] } {
  const visible: readonly string[] = visibleFields(caller);
  // By what can be sent, not by what is answered: a field that nobody thought to answer is not open to all.
  return { without: [...rulesOf(PatchContactDto).keys()].filter((field) => !visible.includes(field)) };
}

/**
 * The same for a new contact, which may lack something as a whole. Alone, that is an error of its own, found when the
 * contact is written; among other faults it is one of them.
 */
export function newContactRules(caller: Caller): InputRules<CreateContactDto> {
  const judge = (dto: Partial<CreateContactDto>, faults: readonly Fault[]): Fault[] => {
    const isGiven = (field: 'email' | 'company_id'): boolean =>
      (dto[field] ?? null) !== null || faults.some((fault) => fault.field === field);
    const isNobody = caller.kind === 'key' && !isGiven('email') && !isGiven('company_id');
    const lacks = [
      ...(isNobody ? [faultOf('email', 'email_or_company_required')] : []),
      ...(dto.portal_access === 1 && !isGiven('email')
        ? [faultOf('portal_access', 'portal_access_needs_email')]
        : []),
    ];
    return faults.length + lacks.length > 1 ? lacks : [];
  };
  return { ...bodyRules(caller), judge };
}

const faultOf = (field: string, code: ErrorCode & FaultCode): Fault => ({
  field,
  code,
  message: new ApiError(code).message,
});

/** The fields of a list item: those of the `fields` parameter that the caller sees, or the contract's eight. */
export function chosenFields(text: string | undefined, caller: Caller): readonly ContactField[] {
  if (text === undefined) return ITEM_FIELDS;
  const visible = visibleFields(caller);
  return fieldNames(text).filter((name): name is ContactField => visible.includes(name as ContactField));
}

/** A fault per name in the `fields` parameter that does not exist for the caller. */
export function fieldFaults(text: string, caller: Caller): Fault[] {
  const visible: readonly string[] = visibleFields(caller);
  const unknown = fieldNames(text).filter((name) => !visible.includes(name));
  return unknown.map((name) => unknownField('fields', name, visible));
}

const fieldNames = (text: string): string[] => [...new Set(text.split(',').map((name) => name.trim()))];

/** The fault of a parameter whose value names no field. */
export function unknownField(parameter: string, name: string, known: readonly string[]): Fault {
  const guess = nearest(name, known);
  const hint = guess ? `did you mean "${guess}"?` : `choose from ${known.join(', ')}.`;
  const message = `${parameter}: there is no ${JSON.stringify(name.slice(0, 100))}; ${hint}`;
  return { field: parameter, code: 'unknown_field', message };
}

/** SQL that makes one contact with these fields as JSON; `products` are the configured product names. */
export function contactJson(
  fields: readonly ContactField[],
  products: readonly string[],
  params: Params,
): string {
  const expressions = fields.map((field) => [
    field,
    field === 'products' ? productsExpression(products, params) : EXPRESSIONS[field],
  ]);
  return jsonObject(Object.fromEntries(expressions) as Record<string, string>);
}

/** `product` and the tags that name a configured product, sorted, without repeats. */
function productsExpression(products: readonly string[], params: Params): string {
  return `ARRAY(
    SELECT DISTINCT p COLLATE "C" FROM unnest(array_append(string_to_array(c.tags, ','), c.product)) AS p
    WHERE p = c.product OR p = ANY(${params.add(products)}::text[]) ORDER BY 1)`;
}
