// A service whose database is about to be in trouble: the line between the two, and a session that goes past it.
import pg from 'pg';
import { type TestDatabase, createTestDatabase } from './database.js';
import { Line } from './line.js';
import { TestService } from './service.js';

export class TroubledService {
  private constructor(
    readonly database: TestDatabase,
    /** A session that is none of the service's. */
    readonly direct: pg.Client,
    readonly line: Line,
    readonly service: TestService,
  ) {}

  /** On a database of its own; `settings` are environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<TroubledService> {
    const database = await createTestDatabase();
    // What never gets its lock says so, before the test is over.
    const direct = new pg.Client({ connectionString: database.url, statement_timeout: 30_000 });
    await direct.connect();
    const line = new Line(new URL(database.url));
    const service = await TestService.start({ ...settings, DATABASE_URL: await line.open() });
    return new TroubledService(database, direct, line, service);
  }

  async stop(): Promise<void> {
    // Silent connections would not let it end.
    this.line.close();
    await this.service.stop();
    await this.direct.end();
    await this.database.drop();
  }
}
