// A connection of its own, with transactions, savepoints and snapshots that stay open as long as a test wants.
import { expect } from '@jest/globals';
import pg from 'pg';

/** A connection and what is open on it. */
export class Session {
  private isOpen = false;
  private savepoints = 0;

  private constructor(readonly client: pg.Client) {}

  static async open(url: string): Promise<Session> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // Whoever would wait for another fails instead.
    await client.query(`SET lock_timeout = '5s'`);
    return new Session(client);
  }

  async begin(how = ''): Promise<void> {
    if (this.isOpen) return;
    await this.client.query(`BEGIN ${how}`);
    this.isOpen = true;
    this.savepoints = 0;
  }

  async end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (!this.isOpen) return;
    await this.client.query(how);
    this.isOpen = false;
  }

  /** Reads in a snapshot from now on: the open one, or a new one. */
  async see(): Promise<void> {
    await this.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await this.client.query('SELECT pg_current_snapshot()');
  }

  async savepoint(): Promise<void> {
    if (!this.isOpen) return;
    this.savepoints += 1;
    await this.client.query(`SAVEPOINT s${this.savepoints}`);
  }

  async rollbackToSavepoint(): Promise<void> {
    if (!this.isOpen || this.savepoints === 0) return;
    await this.client.query(`ROLLBACK TO SAVEPOINT s${this.savepoints}`);
    this.savepoints -= 1;
  }

  /** Runs a statement that the schema has to refuse, and nothing comes of it. */
  async refused(sql: string, values: unknown[]): Promise<void> {
    await this.savepoint();
    await expect(this.client.query(sql, values)).rejects.toMatchObject({ code: '23505' });
    await this.rollbackToSavepoint();
  }
}
