// What the search indexes have still to sort in is sorted in beside the writes, and not by them.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';
import { Session } from '../support/session.js';
import { waitUntil } from '../support/wait.js';

let service: TestService;
/** Another session, that of the indexes' owner. */
let session: Session;
beforeAll(async () => {
  service = await TestService.start();
  session = await Session.open(service.databaseUrl);
});
afterAll(async () => {
  await session.client.end();
  await service.stop();
});

const LOCK = `hashtext('clean_pending_lists')`;
const INDEXES = [
  'contact_search_document_ix',
  'contact_search_short_ix',
  'contact_search_meeting_ix',
  'contact_tags_ix',
  'company_search_ix',
];

/** Writes something for each index, gives the service the time to sort it in, and sorts in the rest: of so many pages. */
async function leftAfter(time: number): Promise<Record<string, number>> {
  await createContact(service.api, { full_name: 'Anna 山田', tags: 'vip,trial' });
  await service.api.post('/api/companies', { name: 'Wuthering Heights' });
  await sleep(time);
  const left: Record<string, number> = {};
  for (const index of INDEXES) {
    const { rows } = await session.client.query<{ pages: number }>(
      `SELECT gin_clean_pending_list('${index}')::int AS pages`,
    );
    left[index] = rows[0]?.pages ?? 0;
  }
  return left;
}
const NOTHING = Object.fromEntries(INDEXES.map((index) => [index, 0]));
const SOMETHING = Object.fromEntries(INDEXES.map((index) => [index, 1]));

test('the service sorts in what was written a moment ago', async () => {
  let left: Record<string, number> = {};
  // Not yet, on a machine that is busy.
  await waitUntil(async () => {
    left = await leftAfter(2_000);
    return Object.values(left).every((pages) => pages === 0);
  }).catch(() => undefined);
  expect(left).toEqual(NOTHING);
});

test('one process does it at a time, the others leave it at that', async () => {
  await session.client.query(`SELECT pg_advisory_lock(${LOCK})`);
  try {
    expect(await service.sql('SELECT clean_pending_lists() AS pages')).toEqual([{ pages: null }]);
    expect(await leftAfter(1_500)).toEqual(SOMETHING);
  } finally {
    await session.client.query(`SELECT pg_advisory_unlock(${LOCK})`);
  }
});

test('an index that somebody has added is looked after, too', async () => {
  await service.sql('CREATE INDEX surplus_ix ON contact USING gin (title gin_trgm_ops)');
  let pages: number | undefined;
  await waitUntil(async () => {
    await createContact(service.api, { title: 'Head of Moors' });
    await sleep(2_000);
    const cleaned = `SELECT gin_clean_pending_list('surplus_ix')::int AS pages`;
    [{ pages } = { pages: undefined }] = await service.sql<{ pages?: number }>(cleaned);
    return pages === 0;
  }).catch(() => undefined);
  expect(pages).toBe(0);
});

test('who changes an index is not waited for', async () => {
  await session.begin();
  await session.client.query('ALTER INDEX contact_tags_ix SET (gin_pending_list_limit = 4096)');
  let pages: number | null = null;
  await waitUntil(async () => {
    [{ pages } = { pages: null }] = await service.sql<{ pages: number | null }>(
      'SELECT clean_pending_lists()::int AS pages',
    );
    return pages !== null;
  });
  await session.end('ROLLBACK');
  expect(pages).toBeGreaterThanOrEqual(0);
});

test('a server that was made read-only refuses it, so that nobody stays there', async () => {
  await session.begin('READ ONLY');
  const sorting = session.client.query('SELECT clean_pending_lists()');
  await expect(sorting).rejects.toMatchObject({ code: '25006' });
  await session.end('ROLLBACK');
});
