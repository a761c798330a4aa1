// The list's parameters: a new filter is a property of CompanyQuery and an entry of FILTERS, nothing else.
import type { Caller } from '../auth/caller.js';
import { eitherSigma } from '../common/final-sigma.js';
import type { Order } from '../common/order.js';
import { PageQuery } from '../common/page.js';
import { OneOfParam, TextParam } from '../common/params.js';
import type { Params } from '../common/sql.js';

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

  @TextParam({
    max: 200,
    description: 'Part of name or domain, whatever its case and accents.',
  })
  search?: string;

  @OneOfParam(Object.keys(SORTS), { default: 'name' })
  sort = 'name';
}

type FilterName = Exclude<keyof CompanyQuery, 'page' | 'limit' | 'sort'>;

const FILTERS: Record<FilterName, (placeholder: string, given: string) => string> = {
  type: (value) => `c.company_type = ${value}`,
  product: (value) => `c.product = ${value}`,
  status: (value) => `c.status = ${value}`,
  source: (value) => `c.source = ${value}`,
  search: (term, given) =>
    eitherSigma(term, given, (expression) => `c.search_text LIKE search_pattern(${expression})`),
};

/**
 * The rules for the list's parameters. A portal user has one company at most, so there is nothing to sort; and the
 * filters but `search` reveal what it may not see.
 */
export function queryRules(caller: Caller): { without: readonly (keyof CompanyQuery)[] } {
  return { without: caller.kind === 'key' ? [] : ['type', 'product', 'status', 'source', 'sort'] };
}

/** The conditions of the filters in `query`. */
export function filterConditions(query: CompanyQuery, params: Params): string[] {
  const names = (Object.keys(FILTERS) as FilterName[]).filter((name) => query[name] !== undefined);
  return names.map((name) => FILTERS[name](params.add(query[name]), query[name] ?? ''));
}

/** The order `query` asks for; its rule has refused any other. */
export function listOrder(query: CompanyQuery): Order {
  return SORTS[query.sort] as Order;
}
