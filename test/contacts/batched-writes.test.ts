// Writes that come in the same moment go to the database together, and nobody can tell: each gets the answer it would get
// alone, whatever the others are like.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { countRows, createCompany, createContact, readContact } from '../support/factories.js';
import { type PipelinedAnswer, type PipelinedRequest, outcome, pipeline } from '../support/pipelined.js';
import { PATIENT, type TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { TroubledService } from '../support/troubled-service.js';
import { untilLocked, waitUntil } from '../support/wait.js';

let troubled: TroubledService;
let service: TestService;
beforeAll(async () => {
  troubled = await TroubledService.start({ DATABASE_TIMEOUT_MS: '30000', ...PATIENT });
  ({ service } = troubled);
});
beforeEach(async () => {
  troubled.line.restore();
  await troubled.direct.query('TRUNCATE contact, company CASCADE');
});
afterAll(() => troubled.stop());

const create = (body: object): PipelinedRequest => ({ method: 'POST', path: '/api/contacts', body });
const patch = (id: string, body: object): PipelinedRequest => ({
  method: 'PATCH',
  path: `/api/contacts/${id}`,
  body,
});
/** So many are in one turn whatever the machine has to do: the service lets four run at once at the least. */
const FEW = 4;
const people = (count: number, fields: object = {}): PipelinedRequest[] =>
  Array.from({ length: count }, (_, index) => create({ email: `person${index}@acme.com`, ...fields }));
const send = (requests: PipelinedRequest[]): Promise<PipelinedAnswer[]> => pipeline(service, requests);

/** Statements that write contacts. */
const writing = (statements: readonly string[]): string[] =>
  statements.filter((text) => /(INSERT INTO|UPDATE) contact /.test(text));

describe('inserts', () => {
  test('of one moment are few statements, and each answers with its own contact', async () => {
    const requests = people(40).map(({ body, ...request }, index) => ({
      ...request,
      body: {
        ...body,
        first_name: `Jane ${index}`,
        notes: index % 2 ? null : 'Ünïcödé "\\ \n!',
        tags: 'a,b',
      },
    }));
    let answers: PipelinedAnswer[] = [];
    const statements = await statementsDuring(async () => (answers = await send(requests)));
    expect(writing(statements).length).toBeLessThan(20);
    for (const [index, { status, body }] of answers.entries()) {
      expect(status).toBe(201);
      expect(body.data).toMatchObject({ email: `person${index}@acme.com`, full_name: `Jane ${index}` });
      expect(await readContact(service.api, String(body.data?.id))).toMatchObject(
        requests[index]?.body ?? {},
      );
    }
    const { body } = await service.api.get('/api/contacts?tag=b&limit=1');
    expect(body.data.total).toBe(40);
  });

  test('that set other fields go by themselves, and leave the rest to the defaults', async () => {
    const answers = await send([
      ...people(3),
      create({ email: 'typed@acme.com', contact_type: 'lead' }),
      create({ email: 'named@acme.com', first_name: 'Jane', last_name: 'Smith' }),
    ]);
    expect(answers.map(outcome)).toEqual([201, 201, 201, 201, 201]);
    const [plain, , , typed] = await Promise.all(
      answers.map(({ body }) => readContact(service.api, String(body.data?.id))),
    );
    expect(plain).toMatchObject({ contact_type: 'end_user', source: 'manual', tags: null });
    expect(typed).toMatchObject({ contact_type: 'lead', source: 'manual' });
  });

  test('are refused one by one, each for its own fault', async () => {
    const company = await createCompany(service.api);
    const taken = await createContact(service.api, { email: 'taken@acme.com' });
    const answers = await send([
      create({ email: 'first@acme.com', company_id: company }),
      create({ email: 'taken@acme.com', company_id: company }),
      create({ email: 'nowhere@acme.com', company_id: 'co_nowhere' }),
      create({ email: 'twice@acme.com', company_id: company }),
      create({ email: 'Twice@acme.com', company_id: company }),
      create({ email: 'not an address', company_id: company }),
      create({ email: 'last@acme.com', company_id: null }),
    ]);
    const outcomes = answers.map(outcome);
    expect(outcomes.slice(0, 3)).toEqual([201, 'email_taken', 'company_not_found']);
    // Which of the two was first is for nobody to say.
    expect(outcomes.slice(3, 5).map(String).toSorted()).toEqual(['201', 'email_taken']);
    expect(outcomes.slice(5)).toEqual(['invalid_request', 201]);
    expect(answers[1]?.body.error?.details).toEqual([{ field: 'email', existing_id: taken }]);
    expect(await countRows(service, 'contact')).toBe(4);
  });

  test('stop nobody by a company there is none of', async () => {
    const requests = people(FEW, { company_id: await createCompany(service.api) });
    requests[2] = create({ email: 'nowhere@acme.com', company_id: 'co_nowhere' });
    const statements = await statementsDuring(() => send(requests));
    // All of them, but for the one, and the one: halving would take more.
    expect(writing(statements)).toHaveLength(2);
    expect(await countRows(service, 'contact')).toBe(FEW - 1);
  });

  test('do not wait for one that has to wait for another session', async () => {
    const other = new pg.Client({ connectionString: troubled.database.url });
    await other.connect();
    await other.query(`BEGIN; INSERT INTO contact (id, email) VALUES ('ct_other', 'person0@acme.com')`);
    const waiting = send(people(8).toReversed());
    await untilLocked(troubled.direct, 1);
    // All but the one, whose address may be free again in a moment.
    await waitUntil(async () => (await countRows(service, 'contact')) === 7);
    await other.query('ROLLBACK');
    await other.end();
    expect((await waiting).map(outcome)).toEqual(Array.from({ length: 8 }, () => 201));
  });

  test('whose connection is lost with the answer are all a 503, and written once', async () => {
    const company = await createCompany(service.api);
    troubled.line.loseNext('lose-answer', 'Once');
    const answers = await send(people(FEW, { email: null, company_id: company, first_name: 'Once' }));
    expect(answers.map(outcome)).toEqual(Array.from({ length: FEW }, () => 'unavailable'));
    expect(await countRows(service, 'contact')).toBe(FEW);
  });

  test('are done at most once, those as well that are sent again for one beside them', async () => {
    const company = await createCompany(service.api);
    await troubled.direct.query(`ALTER TABLE contact ADD CONSTRAINT refused_ck CHECK (title <> 'refused')`);
    const titles = ['a', 'Twice', 'refused', 'd'];
    // Sent with all of them it is refused, and sent again with half of them it loses its answer.
    const { line } = troubled;
    line.beforeNext('Twice', () => Promise.resolve(line.loseNext('lose-answer', 'Twice')));
    const answers = await send(titles.map((title) => create({ company_id: company, title })));
    await troubled.direct.query('ALTER TABLE contact DROP CONSTRAINT refused_ck');
    expect(answers.map(outcome)).toEqual(['unavailable', 'unavailable', 'internal_error', 201]);
    const { rows } = await troubled.direct.query('SELECT title FROM contact ORDER BY lower(title)');
    expect(rows).toEqual([{ title: 'a' }, { title: 'd' }, { title: 'Twice' }]);
  });

  test('that never arrive are all a 503', async () => {
    troubled.line.loseNext('lose', 'Never');
    const answers = await send(people(FEW, { first_name: 'Never' }));
    expect(answers.map(outcome)).toEqual(Array.from({ length: FEW }, () => 'unavailable'));
    expect(await countRows(service, 'contact')).toBe(0);
  });
});

describe('patches', () => {
  const contacts = (count: number): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, () => createContact(service.api)));

  test('of one moment are few statements, and each changes its own contact', async () => {
    const ids = await contacts(20);
    const requests = ids.map((id, index) =>
      patch(id, { title: `Title ${index}`, engagement_score: index / 8 }),
    );
    let answers: PipelinedAnswer[] = [];
    const statements = await statementsDuring(async () => (answers = await send(requests)));
    expect(writing(statements).length).toBeLessThan(10);
    for (const [index, id] of ids.entries()) {
      expect(answers[index]).toEqual({ status: 200, body: { ok: true, data: { id, updated: true } } });
      expect(await readContact(service.api, id)).toMatchObject(requests[index]?.body ?? {});
    }
  });

  test('of the same contact are all done, one after the other', async () => {
    const [id = '', other = ''] = await contacts(2);
    await troubled.direct.query(`
      CREATE TABLE written (id text, stage text);
      CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO written VALUES (new.id, new.pipeline_stage); RETURN NULL; END';
      CREATE TRIGGER write_down AFTER UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION write_down()`);
    const stages = Array.from({ length: 6 }, (_, index) => `stage-${index}`);
    const answers = await send(
      stages.flatMap((stage) => [id, other].map((one) => patch(one, { pipeline_stage: stage }))),
    );
    expect(answers.map(outcome)).toEqual(answers.map(() => 200));
    const { rows } = await troubled.direct.query<{ stage: string }>(
      'SELECT stage FROM written WHERE id = $1',
      [id],
    );
    expect(rows.map(({ stage }) => stage).toSorted()).toEqual(stages);
    await troubled.direct.query('DROP FUNCTION write_down CASCADE; DROP TABLE written');
  });

  test('tell whose contact there is none of, and change the others', async () => {
    const [first = '', last = ''] = await contacts(2);
    const answers = await send([
      patch(first, { title: 'First' }),
      patch('ct_nobody', { title: 'Nobody' }),
      patch(last, { title: 'Last' }),
    ]);
    expect(answers.map(outcome)).toEqual([200, 'not_found', 200]);
    expect((await readContact(service.api, last)).title).toBe('Last');
  });

  test('set what they name, null too, and leave the rest', async () => {
    const [first = '', second = ''] = await contacts(2);
    const data = { list: [1, 2.5, { deep: null }], text: 'é\\u0000' };
    const answers = await send([
      patch(first, { enrichment_data: data, last_engagement_at: '2026-01-31T12:00:00+01:00' }),
      patch(second, { enrichment_data: null, last_engagement_at: null }),
      patch(second, { title: 'CEO' }),
    ]);
    expect(answers.map(outcome)).toEqual([200, 200, 200]);
    expect(await readContact(service.api, first)).toMatchObject({
      enrichment_data: data,
      last_engagement_at: '2026-01-31T11:00:00.000Z',
      title: null,
    });
    expect(await readContact(service.api, second)).toMatchObject({ enrichment_data: null, title: 'CEO' });
  });

  test('keep what another session changes while they wait, and come after it', async () => {
    const [id = ''] = await contacts(1);
    const other = new pg.Client({ connectionString: troubled.database.url });
    await other.connect();
    await other.query('BEGIN');
    await other.query(`UPDATE contact SET department = 'Board', title = 'theirs' WHERE id = $1`, [id]);
    const waiting = service.api.patch(`/api/contacts/${id}`, { title: 'ours' });
    await untilLocked(troubled.direct, 1);
    await other.query('COMMIT');
    await other.end();
    expect((await waiting).status).toBe(200);
    expect(await readContact(service.api, id)).toMatchObject({ department: 'Board', title: 'ours' });
  });

  test('do not wait for one whose contact somebody holds', async () => {
    const ids = await contacts(8);
    const other = new pg.Client({ connectionString: troubled.database.url });
    await other.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM contact WHERE id = $1 FOR UPDATE', [ids[3]]);
    const waiting = send(ids.map((id) => patch(id, { title: 'CEO' })));
    await untilLocked(troubled.direct, 1);
    const changed = `SELECT FROM contact WHERE title = 'CEO'`;
    await waitUntil(async () => (await troubled.direct.query(changed)).rowCount === 7);
    await other.query('ROLLBACK');
    await other.end();
    expect((await waiting).map(outcome)).toEqual(ids.map(() => 200));
    // How long a row may wait is said to its statement alone.
    const settings = await Promise.all(ids.map(() => service.sql('SHOW lock_timeout')));
    expect(settings).toEqual(ids.map(() => [{ lock_timeout: '0' }]));
  });
});
