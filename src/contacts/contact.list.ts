// The ways to read a list of contacts: all give the same answer, and the fastest that can be had is tried first.
import type { Caller } from '../auth/caller.js';
import type { Cursor } from '../common/cursor.js';
import { canonicalEmail } from '../common/email.js';
import type { ListAnswer, ListRequest, PageStart, Total } from '../common/list.js';
import type { Params } from '../common/sql.js';
import { type ContactQuery, givenFilters, isLogged, isSelective } from './contact.query.js';
import { isIndexed } from './contact.search.js';
import { type RememberedTotal, WORTH_REMEMBERING } from './remembered-totals.js';

export interface ReadingWay {
  readonly total: 'none' | 'of-slice' | 'remembered' | 'counted';
  /** Finds a frequent search term by walking the list, through as many documents as match it at most. */
  readonly walk?: boolean;
}

/** From this place on, the counts per month, day and hour find a page faster than stepping over rows. */
const DEEP = 1_000;
/** From this many matches on, walking the list finds a page of a search sooner than reading all matches. */
const FREQUENT = 2_000;

/** The ways to answer `query`, the first to be tried first; the last always succeeds. */
export function waysToRead(caller: Caller, query: ContactQuery, known?: RememberedTotal): ReadingWay[] {
  const walks = known !== undefined && known.total >= FREQUENT && !known.isOld && canWalk(caller, query);
  if (query.total === 0)
    return walks ? [{ total: 'none', walk: true }, { total: 'none' }] : [{ total: 'none' }];
  if (sliceOf(caller, query)) return [{ total: 'of-slice' }, { total: 'counted' }];
  if (walks) return [{ total: 'remembered', walk: true }, { total: 'counted' }];
  // A search that reads all its matches has counted them.
  return known && (query.search === undefined || !isIndexed(query.search))
    ? [{ total: 'remembered' }, { total: 'counted' }]
    : [{ total: 'counted' }];
}

/** Newest first, near the front, no contact ranks before the others, and matches are no rarer in the list than in all. */
function canWalk(caller: Caller, query: ContactQuery): boolean {
  const { search } = query;
  const isFrequent = search !== undefined && canonicalEmail(search) === null && !isWithinFew(caller, query);
  return isFrequent && isNewestFirst(query) && !isDeep(query);
}

/** One company's contacts, mostly, which an index finds. */
const isWithinFew = (caller: Caller, query: ContactQuery): boolean =>
  caller.kind === 'portal' || isSelective(query);

const isDeep = ({ page, limit }: ContactQuery): boolean => (page - 1) * limit >= DEEP;

const isNewestFirst = ({ sort = '-created_at' }: ContactQuery): boolean => sort === '-created_at';

/** [contact_type, source] when the list is one that is counted by type and source; null stands for any. */
function sliceOf(caller: Caller, query: ContactQuery): (string | null)[] | null {
  const isCounted = givenFilters(query).every((name) => name === 'type' || name === 'source');
  return caller.kind === 'key' && isCounted ? [query.type ?? null, query.source ?? null] : null;
}

/** What a total has to be remembered with: the snapshot it is of, and the newest fold of the log that this sees. */
export const AS_OF = `
  CASE WHEN total >= ${WORTH_REMEMBERING} THEN (SELECT pg_current_snapshot())::text END AS as_of,
  CASE WHEN total >= ${WORTH_REMEMBERING} THEN (SELECT (contact_last_fold()).no)::text END AS fold`;

export interface AsOf {
  readonly as_of: string | null;
  /** Null while nothing has been folded, too. */
  readonly fold: string | null;
  /** What of the total that snapshot does not see. */
  readonly since?: number | null;
}

/**
 * The same where a replica reads, too. A snapshot taken there does not tell which transactions are running, so that of
 * the fold has to do: whoever sees the fold sees all that it saw, on either server.
 */
export function asOfFold(where: readonly string[]): string {
  const ifWorth = (select: string): string => `CASE WHEN total >= ${WORTH_REMEMBERING} THEN (${select}) END`;
  const changes = 'contact_changes_since((SELECT as_of FROM contact_last_fold())) c';
  return `
    ${ifWorth('SELECT as_of::text FROM contact_last_fold()')} AS as_of,
    ${ifWorth('SELECT no::text FROM contact_last_fold()')} AS fold,
    ${ifWorth(`SELECT COALESCE(sum(c.sign), 0)::float8 FROM ${changes} WHERE ${['true', ...where].join(' AND ')}`)} AS since`;
}

/** Whether the total that is read in this way is remembered. */
export function isRemembered({ total }: ReadingWay, query: ContactQuery): boolean {
  return (total === 'counted' || total === 'remembered') && isLogged(query);
}

/** Whether the total may take long to count, and is then remembered: worth waiting for whoever counts it already. */
export function isCountedOnce(caller: Caller, query: ContactQuery): boolean {
  return query.total === 1 && isLogged(query) && !isWithinFew(caller, query) && !sliceOf(caller, query);
}

/** Whether a walk that had to stop somewhere came far enough. */
export function isWhole(
  { hasMore, shown, total }: ListAnswer,
  { cursor, page, limit }: ContactQuery,
): boolean {
  return hasMore || (!cursor && total !== null && (page - 1) * limit + shown >= total);
}

/** Whether the statement takes a moment at most, so that others may wait behind it. */
export function isShort(caller: Caller, query: ContactQuery, { total }: ReadingWay): boolean {
  const isCheap = total === 'of-slice' || total === 'remembered' || isWithinFew(caller, query);
  const isNear = !isDeep(query) || startsByCounts(caller, query);
  return isCheap && isNear && query.search === undefined && isPlannedOnce(caller, query);
}

/** Whether one plan is good for any values: not where it has to choose between the order and a filter of its own index. */
function isPlannedOnce(caller: Caller, query: ContactQuery): boolean {
  const { sort = '-created_at', tag, portal_access, portal_role } = query;
  const isInOrder =
    sort.endsWith('created_at') || (caller.kind === 'key' && givenFilters(query).length === 0);
  const isOfPortal = portal_access !== undefined || portal_role !== undefined;
  return isInOrder && tag === undefined && (!isOfPortal || isWithinFew(caller, query));
}

/** What is particular to the way: which rows are read, and how the total is had. */
export function readIn(
  way: ReadingWay,
  { caller, query, where, cursor, known }: Reading,
  params: Params,
): Pick<ListRequest, 'rows' | 'id' | 'at' | 'items' | 'inOnePass' | 'total' | 'start'> {
  const total = totalIn(way, { caller, query, where, known }, params);
  const items = 'JOIN contact c ON c.id = page.id';
  if (query.search === undefined) {
    const list = { rows: 'contact c', id: 'c.id', total, items };
    return isFoundInPlace(caller, query)
      ? { ...list, at: 'c.ctid', items: 'JOIN contact c ON c.ctid = page.at' }
      : { ...list, start: pageStart(caller, query, params) };
  }
  // Where nothing else of the contact is asked for, the planner leaves this join out. The contact is named first, and so
  // locked first, as a TRUNCATE does it.
  // From few contacts to their documents the way is the key of those. Elsewhere the id alone is compared, for the planner
  // takes two conditions for two coincidences, and the rows that meet both for rare.
  const sameDate = isWithinFew(caller, query) ? ' AND c.created_at = s.created_at' : '';
  const ofContact = `ON c.id = s.contact_id${sameDate}`;
  if (!way.walk || !known) {
    // A term that no index finds is a frequent one: its page comes soon, and only its total asks for all documents.
    const inOnePass = isIndexed(query.search);
    return {
      rows: `contact c RIGHT JOIN contact_search s ${ofContact}`,
      id: 's.contact_id',
      items,
      inOnePass,
      total,
    };
  }
  const [at, id] = cursor?.keys ?? [];
  const onwards = cursor
    ? `WHERE (created_at, contact_id) < (${params.add(at)}::timestamptz, ${params.add(id)})`
    : '';
  const walked = `SELECT * FROM contact_search ${onwards}
    ORDER BY created_at DESC, contact_id DESC LIMIT ${params.add(known.total)}`;
  return { rows: `contact c RIGHT JOIN (${walked}) s ${ofContact}`, id: 's.contact_id', items, total };
}

/**
 * Whether the page's rows are found where they lie, not by their ids once more, which is a third of the work. Not where
 * rows are skipped: an index alone steps over them faster, and does not know where they lie. Nor where the planner could
 * take another index for it.
 */
function isFoundInPlace(caller: Caller, query: ContactQuery): boolean {
  return query.page === 1 && (isWithinFew(caller, query) || givenFilters(query).length === 0);
}

export interface Reading {
  readonly caller: Caller;
  readonly query: ContactQuery;
  readonly where: readonly string[];
  readonly cursor?: Cursor | null;
  readonly known?: RememberedTotal;
}

function totalIn(way: ReadingWay, { caller, query, where, known }: Reading, params: Params): Total {
  if (way.total === 'none' || way.total === 'counted') return way.total;
  if (way.total === 'of-slice') {
    return { select: `SELECT contact_total(${params.add(sliceOf(caller, query))}::text[])` };
  }
  // No row, and so null, when the log no longer reaches back to the snapshot, or this statement reads in an older one.
  const asOf = `${params.add(known?.asOf)}::pg_snapshot`;
  return {
    select: `SELECT ${params.add(known?.total)}::bigint + (
        SELECT COALESCE(sum(c.sign), 0) FROM contact_changes_since(${asOf}) c WHERE ${where.join(' AND ')})
      FROM contact_fold WHERE no = ${params.add(known?.fold)}
        AND pg_snapshot_xmax(${asOf}) <= pg_snapshot_xmax(pg_current_snapshot())
        AND NOT EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS running
          WHERE pg_visible_in_snapshot(running, ${asOf}))`,
  };
}

/** Whether the counts per month, day and hour are of this list, in its order. */
function startsByCounts(caller: Caller, query: ContactQuery): boolean {
  const isNumbered = query.cursor === undefined;
  return isNumbered && isDeep(query) && isNewestFirst(query) && sliceOf(caller, query) !== null;
}

function pageStart(caller: Caller, query: ContactQuery, params: Params): PageStart | undefined {
  if (!startsByCounts(caller, query)) return undefined;
  const slice = params.add(sliceOf(caller, query));
  return {
    from: `contact_page_start(${slice}::text[], ${params.add((query.page - 1) * query.limit)})`,
    where: 'c.created_at < (SELECT before FROM start)',
    skip: '(SELECT rest FROM start)',
  };
}
