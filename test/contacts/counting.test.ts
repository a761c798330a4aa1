// What counting contacts asks of the database: what it refuses, and in which order it locks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact } from '../support/factories.js';
import { PATIENT, TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
let client: pg.Client;
beforeAll(async () => {
  service = await TestService.start(PATIENT);
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

describe('a total that takes long to count', () => {
  const CLIENTS = 20;
  const listsAtOnce = (list: string): Promise<number[]> =>
    Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const { status, body } = await service.api.get(`/api/contacts?limit=1&${list}`);
        return status === 200 ? (body.data.total as number) : status;
      }),
    );
  const countsOf = (statements: string[]): number =>
    statements.filter((text) => /\bcount\(\*\) FROM (hits|contact c)/.test(text)).length;

  beforeEach(async () => {
    await client.query(
      `INSERT INTO contact (id, email, first_name, tags)
       SELECT 'ct_' || n, n || '@example.org', CASE WHEN n <= 2500 THEN 'Frequent' ELSE 'Rare' END,
         CASE WHEN n <= 2500 THEN 'vip' END
       FROM generate_series(1, 2510) AS n`,
    );
    // Waits for the service's own fold, where another fold would leave everything to that.
    await client.query('SELECT contact_recount()');
  });

  test.each(['search=frequent', 'tag=vip'])('is counted once for all who ask at once: %s', async (list) => {
    let totals: number[] = [];
    const statements = await statementsDuring(async () => {
      totals = await listsAtOnce(list);
    });
    expect(totals).toEqual(Array.from({ length: CLIENTS }, () => 2500));
    expect(countsOf(statements)).toBe(1);
  });

  test('is counted by another when the first fails', async () => {
    await client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
    const reading = listsAtOnce('search=frequent');
    // Not the fold, which waits for the same lock.
    const victim = async (): Promise<number | undefined> => {
      // In a transaction it would be looked at once.
      await client.query('SELECT pg_stat_clear_snapshot()');
      const { rows } = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'contacts'
           AND pg_backend_pid() = ANY (pg_blocking_pids(pid))`,
      );
      return rows[0]?.pid;
    };
    await waitUntil(async () => (await victim()) !== undefined);
    await client.query('SELECT pg_cancel_backend($1)', [await victim()]);
    await client.query('COMMIT');
    const answers = await reading;
    expect(answers.filter((total) => total === 503)).toHaveLength(1);
    expect(answers.filter((total) => total === 2500)).toHaveLength(CLIENTS - 1);
  });

  test('may turn out to be small, and every answer has it', async () => {
    expect(await listsAtOnce('search=rare')).toEqual(Array.from({ length: CLIENTS }, () => 10));
  });
});
