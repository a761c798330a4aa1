// The list's parameters: a new filter is a property of CompanyQuery and an entry of FILTERS, nothing else.
import type { Caller } from '../auth/caller.js';
import { hasSigma, holdsWithAnySigma } from '../common/final-sigma.js';
import type { Order } from '../common/order.js';
import { PageQuery } from '../common/page.js';
import { OneOfParam, SearchParam, TextParam } from '../common/params.js';
import type { Params } from '../common/sql.js';
import { type CompanyDetail, PORTAL_COMPANY_FIELDS } from './company.dto.js';

const SORTS: Record<string, Order> = {
  name: {
    name: 'name',
    sort: { expression: '(c.name COLLATE "und-x-icu")', type: 'text' },
    descending: false,
  },
  '-monthly_revenue': {
    name: '-monthly_revenue',
    sort: { expression: 'COALESCE(c.monthly_revenue, -1)', type: 'float8' },
    descending: true,
  },
};

export class CompanyQuery extends PageQuery {
  @TextParam({ max: 64, description: 'company_type, e.g. client.' })
  type?: string;

  @TextParam({ max: 64 })
  product?: string;

  @TextParam({ max: 64, description: 'E.g. active.' })
  status?: string;

  @TextParam({ max: 100 })
  source?: string;

  @SearchParam({ description: 'Part of name or domain, whatever its case and accents.' })
  search?: string;

  @OneOfParam(Object.keys(SORTS), { default: 'name' })
  sort = 'name';
}

type FilterName = Exclude<keyof CompanyQuery, 'page' | 'limit' | 'sort'>;

interface Filter {
  /** Exists for those who see this field. */
  readonly reveals: keyof CompanyDetail;
  readonly where: (placeholder: string, given: string) => string;
}

const equals = (column: keyof CompanyDetail): Filter => ({
  reveals: column,
  where: (value) => `c.${column} = ${value}`,
});

const FILTERS: Record<FilterName, Filter> = {
  type: equals('company_type'),
  product: equals('product'),
  status: equals('status'),
  source: equals('source'),
  search: {
    reveals: 'name',
    where: (term, given) =>
      hasSigma(given)
        ? holdsWithAnySigma('c.search_text', term)
        : `c.search_text LIKE search_pattern(${term})`,
  },
};
const FILTER_NAMES = Object.keys(FILTERS) as FilterName[];

/**
 * The rules for the list's parameters: a filter that reveals what a portal user may not see does not exist for it, and it
 * has one company at most, so there is nothing to sort.
 */
export function queryRules(caller: Caller): { without: readonly (keyof CompanyQuery)[] } {
  if (caller.kind === 'key') return { without: [] };
  const visible: readonly string[] = PORTAL_COMPANY_FIELDS;
  return { without: ['sort', ...FILTER_NAMES.filter((name) => !visible.includes(FILTERS[name].reveals))] };
}

/** The conditions of the filters in `query`. */
export function filterConditions(query: CompanyQuery, params: Params): string[] {
  const names = FILTER_NAMES.filter((name) => query[name] !== undefined);
  return names.map((name) => FILTERS[name].where(params.add(query[name]), query[name] ?? ''));
}

/** The order `query` asks for; its rule has refused any other. */
export function listOrder(query: CompanyQuery): Order {
  return SORTS[query.sort] as Order;
}
