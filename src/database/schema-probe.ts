// Asks again and again whether the database answers and has what this release needs.
import { Pool } from 'pg';
import { checkSchema } from './schema-check.js';

/** On a connection of its own, so that the answer tells of the database and not of the queue for the pool. */
export class SchemaProbe {
  private readonly pool: Pool;

  /** @param timeout until a database that says nothing counts as gone, in ms. */
  constructor(
    url: string | undefined,
    private readonly timeout: number,
  ) {
    this.pool = new Pool({
      connectionString: url,
      application_name: 'contacts-health',
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: timeout,
      query_timeout: timeout,
      keepAlive: true,
    });
    // The next question hears of a loss by itself; unheard, the event would end the process.
    this.pool.on('error', () => undefined);
  }

  /**
   * Migrations of this release that the database lacks. Those it has beyond that are no hindrance: a migration has to
   * work with the release before it, which goes on serving until it is replaced.
   * @throws Error when the database does not answer in time.
   */
  async missingMigrations(): Promise<string[]> {
    const query = async (sql: string): Promise<object[]> => (await this.pool.query<object>(sql)).rows;
    const { promise: late, reject } = Promise.withResolvers<never>();
    // For connecting and all questions together, each of which may take as long by itself.
    const timer = setTimeout(() => reject(new Error('The database did not answer in time.')), this.timeout);
    try {
      return (await Promise.race([checkSchema({ query }), late])).pending;
    } finally {
      clearTimeout(timer);
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
  }
}
