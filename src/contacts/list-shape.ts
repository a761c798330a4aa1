// What a list of contacts is like, as far as that decides how it is best read.
import type { Caller } from '../auth/caller.js';
import { type ContactQuery, givenFilters, isLogged, isSelective } from './contact.query.js';

export interface ListShape {
  readonly query: ContactQuery;
  /** The same for lists of the same rows: they differ in page, order and fields alone, and have one total. */
  readonly key: string;
  /** [contact_type, source] of a list that is counted by type and source; null stands for any, and for no such list. */
  readonly slice: readonly (string | null)[] | null;
  readonly isUnfiltered: boolean;
  /** One company's contacts, mostly, which an index finds. */
  readonly isWithinFew: boolean;
  /** All contacts of one company, or all that a portal user sees: an index has them in the order of their creation. */
  readonly isWholeCompany: boolean;
  /** One index has all that pass, and no others. */
  readonly isByOneIndex: boolean;
  /** The log of changes has all that its filters look at. */
  readonly isLogged: boolean;
  readonly isNewestFirst: boolean;
  /** An index of what it filters by has its order, too. */
  readonly isInOrder: boolean;
  /** So far from the front that the counts per month, day and hour find the page faster than stepping over rows. */
  readonly isDeep: boolean;
  /** Those counts are of this list, in its order. */
  readonly startsByCounts: boolean;
  /** One plan is good for any values: it has not to choose between the order and a filter of its own index. */
  readonly isPlannedOnce: boolean;
}

const DEEP = 1_000;

export function shapeOf(caller: Caller, query: ContactQuery): ListShape {
  const filters = givenFilters(query);
  const { sort = '-created_at', page, limit, cursor } = query;
  const isOfKey = caller.kind === 'key';
  const isUnfiltered = filters.length === 0;
  const isCounted = isOfKey && filters.every((name) => name === 'type' || name === 'source');
  const slice = isCounted ? [query.type ?? null, query.source ?? null] : null;
  const isWithinFew = !isOfKey || isSelective(filters);
  const isWholeCompany = filters.every((name) => name === 'company_id') && !(isOfKey && isUnfiltered);
  const isNewestFirst = sort === '-created_at';
  const isDeep = (page - 1) * limit >= DEEP;
  const isInOrder = sort.endsWith('created_at') || (isOfKey && isUnfiltered);
  const asksForPortal = query.portal_access !== undefined || query.portal_role !== undefined;
  // A portal user without a company sees one contact, and so has no total worth remembering.
  const company = isOfKey ? null : (caller.companyId ?? caller.contactId);
  return {
    query,
    key: JSON.stringify([company, ...filters.map((name) => [name, query[name]])]),
    slice,
    isUnfiltered,
    isWithinFew,
    isWholeCompany,
    isByOneIndex: isWholeCompany || (isOfKey && filters.length === 1),
    isLogged: isLogged(filters),
    isNewestFirst,
    isInOrder,
    isDeep,
    startsByCounts: cursor === undefined && isDeep && isNewestFirst && slice !== null,
    isPlannedOnce: isInOrder && query.tag === undefined && !asksForPortal,
  };
}
