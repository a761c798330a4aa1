// `cli verify`: totals and search are compared with the contacts, and mended, while the service is at work.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createContact, insertRows, listIds } from './support/factories.js';
import { type Finished, runEntry } from './support/process.js';
import { TestService } from './support/service.js';
import { waitUntil } from './support/wait.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const verify = (...options: string[]): Promise<Finished> =>
  runEntry('cli', ['verify', ...options], { DATABASE_URL: service.databaseUrl });

async function total(query: string): Promise<number> {
  return (await service.api.get(`/api/contacts?limit=1&${query}`)).body.data.total as number;
}

/** Until the log holds nothing new, so that what is done to the counts next stays as it is. */
async function untilFolded(): Promise<void> {
  await waitUntil(async () => {
    const [row] = await service.sql<{ unfolded: number }>(
      'SELECT count(*)::int AS unfolded FROM contact_changes_since((contact_last_fold()).as_of)',
    );
    return row?.unfolded === 0;
  });
}

test('nothing differs in a new database, nor after all kinds of writes', async () => {
  const fresh = await verify();
  expect(fresh).toMatchObject({ code: 0, stdout: expect.stringContaining('those of 0 contacts.') });
  expect(fresh.stderr).toContain('Comparing the search documents of about 0 contacts.');

  const id = await createContact(service.api, { first_name: 'Jürgen', contact_type: 'client' });
  await createContact(service.api, { full_name: 'Ann Example' });
  await service.api.patch(`/api/contacts/${id}`, {
    last_name: 'Groß',
    source: 'fair',
    email: null,
    company_id: null,
  });
  await service.api.patch(`/api/contacts/${id}`, { contact_type: 'lead', full_name: 'Jürgen G.' });
  await insertRows(
    service,
    'contact',
    ['1969-07-20T20:17:40Z', '2025-03-01T00:00:00+14:00'].map((created_at, index) => ({
      id: `ct_import${index}`,
      email: `import${index}@example.org`,
      source: 'import',
      created_at,
      contact_type: 'client',
      portal_access: 0,
      updated_at: '2026-01-01T00:00:00Z',
    })),
  );
  await service.sql(`UPDATE contact SET created_at = '2024-02-29T23:59:59.999999Z' WHERE id = 'ct_import1'`);
  await service.sql(`UPDATE contact SET id = 'ct_renamed' WHERE id = 'ct_import1'`);
  await service.sql(`DELETE FROM contact WHERE id = 'ct_import0'`);
  const { code, stdout } = await verify('--json');
  expect({ code, ...JSON.parse(stdout) }).toEqual({
    code: 0,
    ok: true,
    contacts: 3,
    is_counted: true,
    counts: { differences: 0, shown: [] },
    log: { folded: expect.any(Number), held: expect.any(Number) },
    silent_triggers: [],
    documents: { differences: 0, shown: [] },
  });
});

describe('damage', () => {
  const imported = (index: number): object => ({
    id: `ct_d${index}`,
    email: `damaged${index}@example.org`,
    first_name: 'Damaged',
    last_name: `Person ${index}`,
    contact_type: 'patron',
    source: 'gala',
    portal_access: 0,
    created_at: '2025-06-15T10:30:00Z',
    updated_at: '2025-06-15T10:30:00Z',
  });

  beforeAll(async () => {
    await insertRows(
      service,
      'contact',
      Array.from({ length: 5 }, (_, index) => imported(index)),
    );
    await untilFolded();
  });

  test('of each kind is found and named, and mended by --rebuild', async () => {
    await service.sql(`UPDATE contact_count SET n = 7 WHERE slice = '{patron,NULL}' AND period = 'ever'`);
    await service.sql(`DELETE FROM contact_count WHERE slice = '{patron,gala}' AND period = 'month'`);
    await service.sql(`INSERT INTO contact_count VALUES ('{NULL,NULL}', 'hour', '2001-02-03T04:00:00Z', 9)`);
    await service.sql(`DELETE FROM contact_search WHERE contact_id = 'ct_d1'`);
    await service.sql(`UPDATE contact_search SET document = 'somebody else' WHERE contact_id = 'ct_d2'`);
    await service.sql(
      `INSERT INTO contact_search VALUES ('ct_nobody', '2019-12-31T23:00:00Z', 'damaged person 9')`,
    );
    // As if the contact had been moved and its document had not.
    await service.sql(
      `INSERT INTO contact_search VALUES ('ct_d3', '2020-01-01T12:00:00.123456Z', 'damaged person 3')`,
    );
    expect(await total('type=patron')).toBe(7);
    expect(await listIds(service.api, '?search=damaged')).not.toContain('ct_d1');

    const named = [
      /^count of type patron, source any, ever: 7 instead of 5$/m,
      /^count of type patron, source gala, month 2025-06: 0 instead of 5$/m,
      /^count of type any, source any, hour 2001-02-03T04: 9 instead of 0$/m,
      /^search document of ct_nobody \(2019-12-31T.*\): left over$/m,
      /^search document of ct_d3 \(2020-01-01T.*\.123456.*\): left over$/m,
      /^search document of ct_d1 \(2025-06-15T.*\): missing$/m,
      /^search document of ct_d2 \(2025-06-15T.*\): stale$/m,
    ].map((line): unknown => expect.stringMatching(line));
    const found = await verify();
    for (const stdout of named) expect(found).toMatchObject({ code: 1, stdout });
    expect(found.stdout.split('\n')).toHaveLength(named.length + 2);
    expect(found.stdout).toMatch(
      /: 3 counts differ, 4 search documents differ\. `verify --rebuild` mends what differs\.\n$/,
    );

    const rebuilt = await verify('--rebuild');
    for (const stdout of named) expect(rebuilt).toMatchObject({ code: 0, stdout });
    expect(rebuilt.stdout).toContain(
      'Mended 3 counts and 4 search documents. Verified again:\nNothing differs.',
    );
    expect(await total('type=patron')).toBe(5);
    expect(await listIds(service.api, '?search=damaged')).toEqual([
      'ct_d4',
      'ct_d3',
      'ct_d2',
      'ct_d1',
      'ct_d0',
    ]);
  });

  test('of any size is counted in full, shown in part, and mended', async () => {
    await service.sql('UPDATE contact_count SET n = n + 1');
    await service.sql(
      `INSERT INTO contact_search SELECT 'ct_gone' || n, '2022-01-01Z', 'gone' FROM generate_series(1, 25000) n`,
    );
    const { code, stdout } = await verify('--rebuild', '--json');
    const { ok, documents, before, mended } = JSON.parse(stdout);
    expect({ code, ok, documents }).toMatchObject({
      code: 0,
      ok: true,
      documents: { differences: 0, shown: [] },
    });
    expect(before.documents).toEqual({ differences: 25_000, shown: expect.any(Array) });
    expect(before.documents.shown).toHaveLength(30);
    expect(before.documents.shown[0]).toMatchObject({ contact_id: 'ct_gone1', fault: 'left_over' });
    expect(before.counts.shown[0]).toMatchObject({ period: 'ever', starts_at: null });
    expect(mended).toEqual({ counts: before.counts.differences, documents: 25_000 });
  });

  test('of the log shows, as does a trigger that does not fire; --rebuild begins a new log', async () => {
    const id = await createContact(service.api);
    await untilFolded();
    await service.sql('DELETE FROM contact_change WHERE id = $1', [id]);
    await service.sql('ALTER TABLE contact DISABLE TRIGGER contact_log_delete');
    const { code, stdout } = await verify();
    await service.sql('ALTER TABLE contact ENABLE TRIGGER contact_log_delete');
    expect({ code, stdout }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('log of changes: holds '),
    });
    expect(stdout).toContain('ALTER TABLE contact ENABLE TRIGGER contact_log_delete');
    expect(await verify('--rebuild')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Counted anew, with a new log of changes.'),
    });
  });
});

test('counts that nobody goes by are said to be missing, and are no difference', async () => {
  const other = await connect('SELECT pg_advisory_lock(hashtext($1))', ['contact_fold']);
  await service.sql('DELETE FROM contact_fold');
  await createContact(service.api);
  const { code, stdout } = await verify();
  await other.end();
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('There are no counts to go by'),
  });
});

describe('ends at once', () => {
  test('when the schema is not there', async () => {
    const empty = Object.assign(new URL(service.databaseUrl), { pathname: '/postgres' }).href;
    const finished = await runEntry('cli', ['verify'], { DATABASE_URL: empty });
    expect(finished).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('npx nest start migrate -- up'),
    });
  });

  test.each([
    [['--all'], "Unknown option '--all'"],
    [['--name', 'x'], 'verify has no option --name.'],
  ])('when it is not understood: %j', async (options, message) => {
    expect(await verify(...options)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});

/** A connection of its own, on which `statement` has been run. */
async function connect(statement: string, values?: unknown[]): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  await client.query(statement, values);
  return client;
}
