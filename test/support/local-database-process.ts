// A process that opens the local database of a folder and holds it, as the service and the commands do.
// Arguments: `service` or `command`, the folder, and optionally the URL to announce.
import pg from 'pg';
import { openDatabase, openServiceDatabase, type LocalDatabase } from '../../src/local/local-database.js';

const [kind, folder, announced] = process.argv.slice(2);
try {
  let database: LocalDatabase;
  if (kind === 'service') {
    const service = await openServiceDatabase({}, folder);
    if (announced) await service.announce(announced);
    database = service;
  } else {
    database = await openDatabase({}, folder);
  }
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE IF NOT EXISTS note (text text)');
  process.on('SIGINT', () => void client.query(`INSERT INTO note VALUES ('while draining')`).then(close));
  const close = async (): Promise<void> => {
    await client.end();
    await database.close();
    process.exit(0);
  };
  console.log(database.url);
  setInterval(() => {}, 60_000);
} catch (error) {
  console.log(`${(error as Error).name} ${(error as Error).message}`);
  process.exit(1);
}
