// Lists of contacts as clients may ask for them, and the plain statements that say what each has to answer.
import fc from 'fast-check';
import { type Caller, OPERATOR } from '../../src/auth/caller.js';
import { ContactQuery } from '../../src/contacts/contact.query.js';
import { record } from './random-writes.js';

export interface ListCall {
  /** A key, or a portal user of this company, or of none. */
  readonly as: 'key' | 'co_1' | 'co_3' | 'alone';
  readonly filters: Partial<ContactQuery>;
  readonly view: Partial<ContactQuery>;
}

/** Counted by type and source. */
const slices = fc.constantFrom<Partial<ContactQuery>>(
  {},
  {},
  { type: 'client' },
  { type: 'lead' },
  { source: 'manual' },
  { type: 'client', source: 'manual' },
  { type: 'investor', source: 'import' },
  { type: 'nobody' },
);

/** Of many contacts, and so few filters that a total is asked for again when it is remembered. */
const frequent = fc.constantFrom<Partial<ContactQuery>>(
  { search: 'mar' },
  { search: 'MÁR' },
  { search: 'm' },
  { search: 'Müller' },
  { search: 'olden' },
  { search: 'mar', type: 'client' },
  { search: 'mar', created_after: '2026-02-10T00:00:00Z' },
  { search: 'acme', product: 'crm', tag: 'vip' },
  { tag: 'vip' },
  { tag: 'vip', type: 'client' },
  { product: 'crm' },
  { pipeline_stage: 'won' },
  { portal_access: 1 },
  { portal_access: 0, created_before: '2026-02-20T00:00:00Z' },
  { company_id: 'co_1' },
);

/** Of a company with many contacts. */
const ofCompany = fc.constantFrom<Partial<ContactQuery>>(
  {},
  { tag: 'vip' },
  { type: 'client' },
  { source: 'manual' },
  { search: 'mar' },
);

const others = fc.constantFrom<Partial<ContactQuery>>(
  { search: 'zoltan' },
  { search: 'z' },
  { search: '李' },
  { search: '李明' },
  { search: '%' },
  { search: '_A\\' },
  { search: 'a mü' },
  { search: 'P.s17w1@acme.example' },
  { search: 'nobody at all' },
  { search: 'mar', company_id: 'co_1' },
  { company_id: 'co_3', type: 'client' },
  { email: 'p.s17w1@acme.example' },
  { portal_role: 'client_admin' },
  { funnel_stage: 'aware', updated_after: '2020-01-01T00:00:00Z' },
);

const front = record({ page: fc.constantFrom(1, 1, 2, 3), limit: fc.constantFrom(1, 10, 25, 100) });
const deep = record({ page: fc.integer({ min: 11, max: 45 }), limit: fc.constant(100) });
const sorted = record({ sort: fc.constantFrom('created_at', 'full_name', '-email', 'engagement_score') });
const untold = fc.constant({ total: 0 });
const walk = fc.constant({ cursor: '', limit: 100 });
const view: fc.Arbitrary<Partial<ContactQuery>> = fc.oneof(
  { weight: 12, arbitrary: front },
  { weight: 2, arbitrary: deep },
  { weight: 1, arbitrary: sorted },
  { weight: 1, arbitrary: untold },
  { weight: 1, arbitrary: walk },
);

const list = (
  as: readonly ListCall['as'][],
  filters: fc.Arbitrary<Partial<ContactQuery>>,
  seen = view,
): fc.Arbitrary<ListCall> => record({ as: fc.constantFrom(...as), filters, view: seen });

export const anyList: fc.Arbitrary<ListCall> = fc.oneof(
  { weight: 2, arbitrary: list(['key'], slices, deep) },
  { weight: 2, arbitrary: list(['key'], slices) },
  { weight: 7, arbitrary: list(['key'], frequent) },
  { weight: 3, arbitrary: list(['co_1'], ofCompany) },
  { weight: 3, arbitrary: list(['key', 'key', 'co_1', 'co_3', 'alone'], others) },
);

export const queryOf = ({ filters: given, view: seen }: ListCall): ContactQuery =>
  Object.assign(new ContactQuery(), given, seen);

export function callerOf({ as }: ListCall): Caller {
  if (as === 'key') return OPERATOR;
  const companyId = as === 'alone' ? null : as;
  return { kind: 'portal', contactId: 'ct_s17w1', sessionId: 'ses_1', companyId, role: 'client_viewer' };
}

const CONDITIONS: { [Name in keyof ContactQuery]?: (value: string) => string } = {
  type: (value) => `contact_type = ${value}`,
  source: (value) => `source = ${value}`,
  company_id: (value) => `company_id = ${value}`,
  email: (value) => `email = ${value}`,
  product: (value) => `product = ${value}`,
  pipeline_stage: (value) => `pipeline_stage = ${value}`,
  funnel_stage: (value) => `funnel_stage = ${value}`,
  portal_access: (value) => `portal_access = ${value}`,
  portal_role: (value) => `portal_role = ${value}`,
  tag: (value) => `${value} = ANY (string_to_array(tags, ','))`,
  created_before: (value) => `created_at < ${value}`,
  created_after: (value) => `created_at >= ${value}::timestamptz + interval '1 ms'`,
  updated_after: (value) => `updated_at >= ${value}::timestamptz + interval '1 ms'`,
  search: (value) => `(strpos(COALESCE(search_normalize(full_name), ''), search_normalize(${value})) > 0
    OR strpos(COALESCE(email, ''), search_normalize(${value})) > 0)`,
};

const SORTS: Record<string, string> = {
  created_at: 'created_at',
  updated_at: 'updated_at',
  full_name: `COALESCE(full_name, '') COLLATE "und-x-icu"`,
  email: `COALESCE(email, '')`,
  engagement_score: 'COALESCE(engagement_score, -1)',
};

/** FROM and ORDER BY of all that the list answers, read from the contacts themselves. */
export function matchesOf(call: ListCall): { from: string; order: string } {
  const conditions = Object.entries(call.filters).map(([name, value]) =>
    CONDITIONS[name as keyof ContactQuery]?.(quoted(String(value))),
  );
  const caller = callerOf(call);
  if (caller.kind === 'portal') {
    conditions.push(
      caller.companyId === null ? `id = '${caller.contactId}'` : `company_id = '${caller.companyId}'`,
    );
  }
  const { sort = '-created_at' } = call.view;
  const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
  const { search } = call.filters;
  const first =
    search?.includes('@') && call.view.sort === undefined
      ? `(email = lower(${quoted(search)})) IS TRUE DESC, `
      : '';
  return {
    from: `FROM contact WHERE ${['true', ...conditions].join(' AND ')}`,
    order: `ORDER BY ${first}${SORTS[sort.replace(/^-/, '')]} ${direction}, id ${direction}`,
  };
}

const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;
