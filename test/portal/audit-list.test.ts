// GET /api/audit: pages, filters, and who may read it.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type People, createPeople, createPortalUser } from '../support/portal-users.js';
import { type Client, TestService } from '../support/service.js';

let service: TestService;
let people: People;
beforeAll(async () => {
  service = await TestService.start();
  people = await createPeople(service);
});
afterAll(() => service.stop());

interface Entry {
  id: number;
  at: string;
  event: string;
  actor: { kind: string; id: string | null };
  subject_id: string;
  client_address: string | null;
  request_id: string | null;
  details: object;
}

async function entries(query: string): Promise<Entry[]> {
  const { status, body } = await service.api.get(`/api/audit?${query}`);
  expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
  return body.data.items as Entry[];
}

const patch = (client: Client, id: string, body: object) => client.patch(`/api/contacts/${id}`, body);

test('pages, newest first, with the exact total', async () => {
  const [row] = await service.sql<{ count: number }>('SELECT count(*)::int AS count FROM auth_audit_log');
  const { data } = (await service.api.get('/api/audit?limit=2')).body;
  expect(data).toMatchObject({ page: 1, limit: 2, hasMore: true, total: row?.count });
  const second = (await service.api.get('/api/audit?limit=2&page=2')).body.data;
  const ids = [...data.items, ...second.items].map(({ id }: Entry) => id);
  expect(ids).toEqual(ids.toSorted((a, b) => b - a));
  expect(new Set(ids).size).toBe(4);
  expect((await service.api.get('/api/audit?page=100000')).body.data).toMatchObject({
    items: [],
    total: row?.count,
  });
});

test('filters by event, actor and subject, alone and together', async () => {
  const { admin } = people;
  const { id } = await createPortalUser(service);
  await patch(admin.client, people.colleague, { portal_access: 1 });
  const events = (await entries('event=sign_in&limit=100')).map(({ event }) => event);
  expect(new Set(events)).toEqual(new Set(['sign_in']));
  expect((await entries(`event=sign_in&actor_id=${id}`)).map(({ subject_id }) => subject_id)).toEqual([id]);
  expect(
    (await entries(`actor_id=${admin.id}&subject_id=${people.colleague}`)).map(({ event }) => event),
  ).toEqual(['portal_access_granted']);
  expect(await entries('subject_id=ct_none0000')).toEqual([]);
});

test('filters by time, the moment itself excluded on both sides', async () => {
  await service.sql(
    `INSERT INTO auth_audit_log (event, actor_kind, actor_id, subject_id, at, details)
     SELECT 'sign_out', 'contact', 'ct_timed', 'ct_timed', at::timestamptz, '{}'
     FROM unnest($1::text[]) AS at`,
    [['2026-01-01T00:00:00.999999Z', '2026-01-01T00:00:01.000001Z', '2026-01-01T00:00:01.001Z']],
  );
  const found = async (when: string) =>
    (await entries(`subject_id=ct_timed&${when}`)).map(({ at }) => at.slice(17));
  expect(await found('')).toEqual(['01.001Z', '01.000Z', '00.999Z']);
  expect(await found('after=2026-01-01T00:00:01Z')).toEqual(['01.001Z']);
  expect(await found('before=2026-01-01T00:00:01Z')).toEqual(['00.999Z']);
  expect(await found('after=2026-01-01T00:00:00.999Z&before=2026-01-01T00:00:01.001Z')).toEqual(['01.000Z']);
});

test.each(['event=party', 'after=yesterday', 'subject=x', 'subject_id=', 'limit=101'])(
  'refuses ?%s',
  async (query) => {
    expect((await service.api.get(`/api/audit?${query}`)).status).toBe(400);
  },
);

test('needs the scope audit:read, which opens nothing else', async () => {
  const auditor = await service.withScopes('audit:read');
  expect((await auditor.get('/api/audit')).status).toBe(200);
  expect((await auditor.get('/api/contacts')).status).toBe(403);
  const other = await service.withScopes(
    'contacts:read',
    'contacts:write',
    'companies:read',
    'companies:write',
    'keys:manage',
  );
  expect((await other.get('/api/audit')).body.error.code).toBe('insufficient_scope');
  expect((await people.admin.client.get('/api/audit')).body.error.code).toBe('forbidden');
});
