// What the service asks of the database, on whichever of its connections.
import { jest } from '@jest/globals';
import pg from 'pg';

/** The text of every statement sent in this process while `work` runs. */
export async function statementsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const query = jest.spyOn(pg.Client.prototype, 'query');
  try {
    await work();
    return query.mock.calls.map(([given]: unknown[]) =>
      typeof given === 'string' ? given : (given as { text: string }).text,
    );
  } finally {
    query.mockRestore();
  }
}
