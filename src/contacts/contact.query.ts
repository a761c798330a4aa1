// The list's parameters: a new filter is a property of ContactQuery and an entry of FILTERS, nothing else.
import { type Caller, PORTAL_ROLES } from '../auth/caller.js';
import { canonicalEmail } from '../common/email.js';
import type { Fault } from '../common/errors.js';
import type { InputRules } from '../common/input.pipe.js';
import type { Order, Sort } from '../common/order.js';
import { PageQuery } from '../common/page.js';
import {
  CursorParam,
  EmailParam,
  FlagParam,
  IdParam,
  OneOfParam,
  SearchParam,
  TextParam,
  TimestampParam,
} from '../common/params.js';
import type { Params } from '../common/sql.js';
import type { ContactField } from './contact.dto.js';
import { documentHolds } from './contact.search.js';
import { fieldFaults, unknownField, visibleFields } from './contact.fields.js';

export class ContactQuery extends PageQuery {
  @IdParam('co', { description: 'Contacts of this company, e.g. co_e5f6g7.' })
  company_id?: string;

  @TextParam({ max: 64, description: 'contact_type, e.g. client.' })
  type?: string;

  @TextParam({ max: 100, description: 'E.g. manual.' })
  source?: string;

  @SearchParam({ description: 'Part of full_name or email, whatever its case and accents.' })
  search?: string;

  @TextParam({ max: 64 })
  product?: string;

  @TextParam({ max: 200, description: 'Contacts that have this tag.' })
  tag?: string;

  @EmailParam({ description: 'Exactly this e-mail address.' })
  email?: string;

  @FlagParam()
  portal_access?: number;

  @OneOfParam(PORTAL_ROLES)
  portal_role?: string;

  @TextParam({ max: 100 })
  pipeline_stage?: string;

  @TextParam({ max: 100 })
  funnel_stage?: string;

  @TimestampParam({ description: 'Created after this moment, itself excluded.' })
  created_after?: string;

  @TimestampParam({ roundedUp: true, description: 'Created before this moment, itself excluded.' })
  created_before?: string;

  @TimestampParam({ description: 'Changed after this moment, itself excluded.' })
  updated_after?: string;

  @TimestampParam({ roundedUp: true, description: 'Changed before this moment, itself excluded.' })
  updated_before?: string;

  @TextParam({
    max: 50,
    description:
      'created_at, full_name, email, updated_at or engagement_score, with - for descending; default -created_at. ' +
      'A contact without the value counts as the smallest.',
  })
  sort?: string;

  @TextParam({ max: 1000, description: 'The fields of each item, comma-separated: any of a contact.' })
  fields?: string;

  @CursorParam()
  cursor?: string;

  @FlagParam({ default: 1, description: '0 leaves the total out, which is faster.' })
  total = 1;
}

interface Filter {
  /** The field whose values the filter reveals: a caller who may not see it has no such parameter. */
  readonly reveals: ContactField;
  /** The condition on \`c\`, a contact or a logged change of one, and its search \`document\`. */
  readonly where: (placeholder: string, given: string) => string;
  /** The text to look for, where it is not the one given. */
  readonly term?: (given: string) => string;
  /**
   * The log of changes has the column, so a total counted once can be kept exact. A value that is not a text is then to be
   * cast, as it may be asked for with others.
   */
  readonly isLogged?: boolean;
  /** So few contacts pass, all but always, that counting them takes no time. */
  readonly isSelective?: boolean;
}

const logged = (filter: Filter): Filter => ({ ...filter, isLogged: true });
const selective = (filter: Filter): Filter => ({ ...filter, isSelective: true });

export type FilterName = Exclude<
  keyof ContactQuery,
  'page' | 'limit' | 'sort' | 'fields' | 'cursor' | 'total'
>;

const equals = (reveals: ContactField, column: string = reveals): Filter => ({
  reveals,
  where: (value) => `c.${column} = ${value}`,
});

/** Timestamps are answered in milliseconds and kept in microseconds: "after 12.345" starts at 12.346. */
const after = (reveals: ContactField): Filter => ({
  reveals,
  where: (value) => `c.${reveals} >= ${value}::timestamptz + interval '1 ms'`,
});
const before = (reveals: ContactField): Filter => ({
  reveals,
  where: (value) => `c.${reveals} < ${value}::timestamptz`,
});

/** Every filter as its SQL condition; docs/performance.md tells which index serves it. */
const FILTERS: Record<FilterName, Filter> = {
  company_id: selective(logged(equals('company_id'))),
  type: logged(equals('contact_type')),
  source: logged(equals('source')),
  search: logged({
    reveals: 'full_name',
    where: documentHolds,
    term: (given) => canonicalEmail(given) ?? given,
  }),
  product: logged(equals('product')),
  tag: logged({ reveals: 'tags', where: (tag) => `string_to_array(c.tags, ',') @> ARRAY[${tag}]` }),
  email: selective(logged(equals('email'))),
  portal_access: logged({
    reveals: 'portal_access',
    where: (value) => `c.portal_access = ${value}::smallint`,
  }),
  portal_role: logged(equals('portal_role')),
  pipeline_stage: logged(equals('pipeline_stage')),
  funnel_stage: logged(equals('funnel_stage')),
  created_after: logged(after('created_at')),
  created_before: logged(before('created_at')),
  updated_after: after('updated_at'),
  updated_before: before('updated_at'),
};

const FILTER_NAMES = Object.keys(FILTERS) as FilterName[];

/** Every sort, by the field it reveals. The expressions are those of the indexes. */
const SORTS = {
  created_at: { expression: 'c.created_at', type: 'timestamptz' },
  updated_at: { expression: 'c.updated_at', type: 'timestamptz' },
  full_name: { expression: `(COALESCE(c.full_name, '') COLLATE "und-x-icu")`, type: 'text' },
  email: { expression: `COALESCE(c.email, '')`, type: 'text' },
  engagement_score: { expression: 'COALESCE(c.engagement_score, -1)', type: 'float8' },
} as const satisfies Partial<Record<ContactField, Sort>>;

/**
 * The rules for the list's parameters: a filter, sort or field that reveals what the caller may not see does not
 * exist for it, and nothing in the answer tells it from one that exists for nobody.
 */
export function queryRules(caller: Caller): InputRules<ContactQuery> {
  const visible = visibleFields(caller);
  return {
    without: FILTER_NAMES.filter((name) => !visible.includes(FILTERS[name].reveals)),
    judge: ({ fields, sort, cursor, page }) => [
      ...(cursor === undefined || page === 1 ? [] : [PAGE_AND_CURSOR]),
      ...(fields === undefined ? [] : fieldFaults(fields, caller)),
      ...(sort === undefined ? [] : sortFaults(sort, visible)),
    ],
  };
}

const PAGE_AND_CURSOR: Fault = {
  field: 'page',
  code: 'not_with_cursor',
  message: 'page and cursor exclude each other.',
};

function sortFaults(sort: string, visible: readonly string[]): Fault[] {
  const field = sort.replace(/^-/, '');
  const known = Object.keys(SORTS).filter((name) => visible.includes(name));
  return known.includes(field) ? [] : [unknownField('sort', field, known)];
}

/** The filters that `query` holds. */
export function givenFilters(query: ContactQuery): FilterName[] {
  return FILTER_NAMES.filter((name) => query[name] !== undefined);
}

/** Whether one of the filters lets only a few contacts pass. */
export function isSelective(filters: readonly FilterName[]): boolean {
  return filters.some((name) => FILTERS[name].isSelective);
}

/** Whether the log of changes has all that the filters look at. */
export function isLogged(filters: readonly FilterName[]): boolean {
  return filters.every((name) => FILTERS[name].isLogged);
}

/** The conditions of the filters in `query`. */
export function filterConditions(query: ContactQuery, params: Params): string[] {
  return givenFilters(query).map((name) => {
    const { where, term = (given) => given } = FILTERS[name];
    const value = query[name];
    const looked = typeof value === 'string' ? term(value) : value;
    return where(params.add(looked), String(looked));
  });
}

const NEWEST_FIRST = '-created_at';

/** The order `query` asks for: newest first by default, and then an exact e-mail match of the search before all. */
export function listOrder(query: ContactQuery): Order {
  const name = query.sort ?? NEWEST_FIRST;
  const descending = name.startsWith('-');
  const { expression, type } = SORTS[name.replace(/^-/, '') as keyof typeof SORTS];
  // A search reads its documents, which have the same date.
  const sort = {
    type,
    expression: query.search === undefined ? expression : expression.replace('c.created_at', 's.created_at'),
  };
  const exact = name === NEWEST_FIRST && query.search !== undefined ? canonicalEmail(query.search) : null;
  return { name, sort, descending, ...(exact && { first: (params) => `c.email = ${params.add(exact)}` }) };
}
