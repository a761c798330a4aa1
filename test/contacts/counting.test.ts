// What counting contacts asks of the database: what it refuses, and in which order it locks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
let client: pg.Client;
beforeAll(async () => {
  service = await TestService.start();
  client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await service.stop();
});
beforeEach(async () => {
  await client.query('ROLLBACK'); // of a test that failed half way
  await service.sql('TRUNCATE contact, company CASCADE');
});

describe('a transaction that has written contacts', () => {
  test.each(['SELECT contact_fold_changes()', 'SELECT contact_recount()'])(
    'cannot count its own changes, which others do not see yet: %s',
    async (statement) => {
      const id = await createContact(service.api);
      await service.sql('SELECT contact_fold_changes()');
      await client.query('BEGIN');
      await client.query(`UPDATE contact SET contact_type = 'client' WHERE id = $1`, [id]);
      await expect(client.query(statement)).rejects.toMatchObject({ code: '25001' });
      await client.query('ROLLBACK');
      expect(await service.sql('SELECT * FROM contact_count_faults()')).toEqual([]);
    },
  );

  test('may have undone them', async () => {
    const id = await createContact(service.api);
    await client.query('BEGIN; SAVEPOINT one');
    await client.query(`UPDATE contact SET contact_type = 'client' WHERE id = $1`, [id]);
    await client.query('ROLLBACK TO SAVEPOINT one');
    await client.query('SELECT contact_recount()');
    await client.query('COMMIT');
    expect(await service.sql('SELECT * FROM contact_count_faults()')).toEqual([]);
  });
});

test.each(['infinity', '-infinity'])('no contact is created at %s, which is in no month', async (moment) => {
  await expect(
    client.query(`INSERT INTO contact (id, email, created_at) VALUES ('ct_1', 'a@b.org', '${moment}')`),
  ).rejects.toMatchObject({ code: '23514', constraint: 'contact_created_at_ck' });
});

test.each(['search=jane', 'search=ja', 'search=jane&type=lead', 'search=jane&sort=email', ''])(
  'a list locks the contacts first, as a TRUNCATE does it, and so they never wait for each other: %s',
  async (list) => {
    await createContact(service.api, { email: 'jane@acme.com' });
    for (const _time of ['anew', 'remembered']) {
      await client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
      const reading = service.api.get(`/api/contacts?${list}`);
      await waitUntil(async () => {
        const { rows } = await client.query(
          `SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))`,
        );
        return rows.length > 0;
      });
      await client.query(
        'LOCK TABLE contact_search, contact_change, contact_count, contact_fold IN ACCESS EXCLUSIVE MODE NOWAIT',
      );
      await client.query('COMMIT');
      expect((await reading).status).toBe(200);
    }
  },
);
