// All SQL on the upkeep of the indexes that searches and tags are found by.
import type { Queryable } from '../common/sql.js';

export class ContactIndexesRepository {
  constructor(private readonly db: Queryable) {}

  /** Sorts in what GIN indexes put off, and answers how many pages of that; null when another process is at it. */
  async cleanPendingLists(): Promise<number | null> {
    const [row] = await this.db.query<{ pages: number | null }[]>(
      'SELECT clean_pending_lists()::float8 AS pages',
    );
    return row?.pages ?? null;
  }
}
