// The bench's own connections to PostgreSQL.
import pg from 'pg';

/** Tells them from those of other runs. */
export const APPLICATION_NAME = `contacts-bench ${process.pid}`;

/**
 * A client that is connected; of a connection that is lost the next statement tells.
 * @param options as PGOPTIONS has them.
 */
export async function connect(url: string, options?: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: APPLICATION_NAME, options });
  client.on('error', () => {});
  await client.connect();
  return client;
}
