// The ways to read a list of contacts: all give the same answer, and the fastest that can be had is tried first.
import type { Cursor } from '../common/cursor.js';
import { canonicalEmail } from '../common/email.js';
import type { ListAnswer, ListRequest, PageStart, Total } from '../common/list.js';
import type { Params } from '../common/sql.js';
import { isIndexed } from './contact.search.js';
import type { ListShape } from './list-shape.js';
import { type RememberedTotal, WORTH_REMEMBERING } from './remembered-totals.js';

export interface ReadingWay {
  readonly total: 'none' | 'of-slice' | 'counted' | RememberedTotal;
  /** Finds a frequent search term by walking the list, through so many documents at most: as many as match it. */
  readonly walkThrough?: number;
}

/** From this many matches on, walking the list finds a page of a search sooner than reading all matches. */
const FREQUENT = 2_000;

/** The ways to read the list, the first to be tried first; the last always succeeds. */
export function waysToRead(shape: ListShape, known?: RememberedTotal): ReadingWay[] {
  const { query, slice } = shape;
  const isFrequent = known !== undefined && known.total >= FREQUENT && !known.isOld;
  const walkThrough = isFrequent && canWalk(shape) ? known.total : undefined;
  if (query.total === 0)
    return walkThrough ? [{ total: 'none', walkThrough }, { total: 'none' }] : [{ total: 'none' }];
  if (slice) return [{ total: 'of-slice' }, { total: 'counted' }];
  if (known && walkThrough) return [{ total: known, walkThrough }, { total: 'counted' }];
  // A search that reads all its matches has counted them.
  return known && (query.search === undefined || !isIndexed(query.search))
    ? [{ total: known }, { total: 'counted' }]
    : [{ total: 'counted' }];
}

/** Newest first, near the front, no contact ranks before the others, and matches are no rarer in the list than in all. */
function canWalk({ query: { search }, isWithinFew, isNewestFirst, isDeep }: ListShape): boolean {
  const isTerm = search !== undefined && canonicalEmail(search) === null;
  return isTerm && !isWithinFew && isNewestFirst && !isDeep;
}

/**
 * What a total has to be remembered with: the snapshot it is of, and the newest fold of the log that this sees. Nothing on a
 * standby, should the service have been led to one: a snapshot taken there does not tell which transactions are running.
 */
export const AS_OF = `
  CASE WHEN total >= ${WORTH_REMEMBERING} AND NOT pg_is_in_recovery() THEN (SELECT pg_current_snapshot())::text END AS as_of,
  CASE WHEN total >= ${WORTH_REMEMBERING} THEN (SELECT (contact_last_fold()).no)::text END AS fold`;

export interface AsOf {
  readonly as_of: string | null;
  /** Null while nothing has been folded, too. */
  readonly fold: string | null;
  /** What of the total that snapshot does not see. */
  readonly since?: number | null;
}

/**
 * The same where a replica reads as well, and remembers: the snapshot of the fold has to do there. Whoever sees the fold sees
 * all that it saw, on either server.
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
export function isRemembered({ total }: ReadingWay, { isLogged }: ListShape): boolean {
  return isLogged && total !== 'none' && total !== 'of-slice';
}

/** Whether the total may take long to count, and is then remembered: worth waiting for whoever counts it already. */
export function isCountedOnce({ query, isLogged, isWithinFew, slice }: ListShape): boolean {
  return query.total === 1 && isLogged && !isWithinFew && !slice;
}

/** Whether a walk that had to stop somewhere came far enough. */
export function isWhole({ hasMore, shown, total }: ListAnswer, { query }: ListShape): boolean {
  const { cursor, page, limit } = query;
  return hasMore || (!cursor && total !== null && (page - 1) * limit + shown >= total);
}

/**
 * Whether the statement takes a moment at most, so that others may wait for it, and go with it. Counting a company by its index
 * takes 0.15 ms per thousand contacts, and from a thousand on is remembered. Where a further filter passes over rows, nobody
 * knows how many.
 */
export function isShort(shape: ListShape, { total }: ReadingWay): boolean {
  const isCheap =
    total === 'of-slice' || (shape.isByOneIndex && (shape.isWithinFew || typeof total === 'object'));
  const isNear = !shape.isDeep || shape.startsByCounts;
  return isCheap && isNear && shape.query.search === undefined && shape.isPlannedOnce;
}

/** What is particular to the way: which rows are read, and how the total is had. */
export function readIn(
  way: ReadingWay,
  { shape, where, cursor }: Reading,
  params: Params,
): Pick<ListRequest, 'rows' | 'id' | 'items' | 'readInPlace' | 'inOnePass' | 'total' | 'start'> {
  const { query } = shape;
  const total = totalIn(way, shape, where, params);
  const company = 'LEFT JOIN company co ON co.id = c.company_id';
  const items = `JOIN contact c ON c.id = page.id ${company}`;
  if (query.search === undefined) {
    const list = { rows: 'contact c', id: 'c.id', total };
    return isReadInPlace(shape)
      ? { ...list, items: company, readInPlace: true }
      : { ...list, items, start: pageStart(shape, params) };
  }
  // Where nothing else of the contact is asked for, the planner leaves this join out. The contact is named first, and so
  // locked first, as a TRUNCATE does it.
  // From few contacts to their documents the way is the key of those. Elsewhere the id alone is compared, for the planner
  // takes two conditions for two coincidences, and the rows that meet both for rare.
  const sameDate = shape.isWithinFew ? ' AND c.created_at = s.created_at' : '';
  const ofContact = `ON c.id = s.contact_id${sameDate}`;
  const search = { id: 's.contact_id', items, total };
  if (way.walkThrough === undefined) {
    // A term that no index finds is a frequent one: its page comes soon, and only its total asks for all documents.
    const inOnePass = isIndexed(query.search);
    return { ...search, rows: `contact c RIGHT JOIN contact_search s ${ofContact}`, inOnePass };
  }
  const [at, id] = cursor?.keys ?? [];
  const onwards = cursor
    ? `WHERE (created_at, contact_id) < (${params.add(at)}::timestamptz, ${params.add(id)})`
    : '';
  const walked = `SELECT * FROM contact_search ${onwards}
    ORDER BY created_at DESC, contact_id DESC LIMIT ${params.add(way.walkThrough)}`;
  return { ...search, rows: `contact c RIGHT JOIN (${walked}) s ${ofContact}` };
}

/**
 * Only where an index has the rows in their order, whatever the planner thinks of their number: it would sort whole items.
 * And where none is skipped.
 */
function isReadInPlace({ query, isWholeCompany, isUnfiltered, isInOrder }: ListShape): boolean {
  return query.page === 1 && isInOrder && (isWholeCompany || isUnfiltered);
}

interface Reading {
  readonly shape: ListShape;
  readonly where: readonly string[];
  readonly cursor?: Cursor | null;
}

function totalIn(
  { total }: ReadingWay,
  { slice }: ListShape,
  where: readonly string[],
  params: Params,
): Total {
  if (total === 'none' || total === 'counted') return total;
  if (total === 'of-slice') return { select: `SELECT contact_total(${params.add(slice)}::text[])` };
  // No row, and so null, when the log no longer reaches back to the snapshot, or this statement reads in an older one.
  const asOf = `${params.add(total.asOf)}::pg_snapshot`;
  return {
    select: `SELECT ${params.add(total.total)}::bigint + (
        SELECT COALESCE(sum(c.sign), 0) FROM contact_changes_since(${asOf}) c WHERE ${where.join(' AND ')})
      FROM contact_fold WHERE no = ${params.add(total.fold)}::bigint
        AND pg_snapshot_xmax(${asOf}) <= pg_snapshot_xmax(pg_current_snapshot())
        AND NOT EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS running
          WHERE pg_visible_in_snapshot(running, ${asOf}))`,
  };
}

function pageStart({ query, slice, startsByCounts }: ListShape, params: Params): PageStart | undefined {
  if (!startsByCounts) return undefined;
  return {
    from: `contact_page_start(${params.add(slice)}::text[], ${params.add((query.page - 1) * query.limit)}::bigint)`,
    where: 'c.created_at < (SELECT before FROM start)',
    skip: '(SELECT rest FROM start)',
  };
}
