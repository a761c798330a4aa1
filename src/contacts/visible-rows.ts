// Which contacts exist for a caller, in SQL.
import type { Caller } from '../auth/caller.js';
import type { Params } from '../common/sql.js';

/** The condition of the rows that exist for the caller: none for a key, else the own company or oneself. */
export function rowsVisibleTo(caller: Caller, params: Params): string[] {
  if (caller.kind === 'key') return [];
  if (caller.companyId === null) return [`c.id = ${params.add(caller.contactId)}`];
  return [`c.company_id = ${params.add(caller.companyId)}`];
}

/** The same for rows that are found by their ids. IS TRUE keeps the planner from an index that leads through a company. */
export function rowsVisibleById(caller: Caller, params: Params): string[] {
  return rowsVisibleTo(caller, params).map((condition) => `(${condition}) IS TRUE`);
}
