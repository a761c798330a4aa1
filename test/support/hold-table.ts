// Holds a whole table, so that whoever needs it waits: failures and races on demand.
import pg from 'pg';
import type { TestService } from './service.js';
import { waitUntil } from './wait.js';

/** A connection of its own; whatever is held is released with `end`, too. */
export class TableHolder {
  private constructor(
    private readonly service: TestService,
    private readonly client: pg.Client,
  ) {}

  static async of(service: TestService): Promise<TableHolder> {
    const client = new pg.Client({ connectionString: service.databaseUrl });
    await client.connect();
    return new TableHolder(service, client);
  }

  async hold(table: string): Promise<void> {
    await this.client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  }

  async release(): Promise<void> {
    await this.client.query('ROLLBACK');
  }

  /** How many statements wait for a lock. */
  async waiting(): Promise<number> {
    const [row] = await this.service.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return row?.count ?? 0;
  }

  /**
   * While a sign-in is about to write its refresh token, `change` is made, or waits for it; then both go on. Answers
   * what came of the sign-in.
   */
  async during<T>(signIn: () => Promise<T>, change: () => Promise<unknown>): Promise<T> {
    await this.hold('refresh_token');
    const signingIn = signIn();
    await waitUntil(async () => (await this.waiting()) === 1);
    let isChanged = false;
    const changing = change().finally(() => (isChanged = true));
    await waitUntil(async () => isChanged || (await this.waiting()) === 2);
    await this.release();
    await changing;
    return signingIn;
  }

  async end(): Promise<void> {
    await this.client.end();
  }
}
