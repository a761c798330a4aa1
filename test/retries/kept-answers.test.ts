// What is kept for retries, how long, and who can read it: refusals too, our own faults never, nothing in clear.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { countRows, createCompany, createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const under = (key: string, more: object = {}) => ({ headers: { 'idempotency-key': key, ...more } });
const isReplay = ({ headers }: { headers: Record<string, string> }) =>
  headers['idempotency-replayed'] === 'true';

describe('a refusal is the answer to its key for good', () => {
  test('a taken e-mail, although the address is free by then', async () => {
    const holder = await createContact(service.api, { email: 'taken@acme.com' });
    const key = randomUUID();
    const send = (by = key) => service.api.post('/api/contacts', { email: 'taken@acme.com' }, under(by));
    const first = await send();
    expect([first.status, first.body.error.code]).toEqual([409, 'email_taken']);
    expect(first.body.error.details).toEqual([{ field: 'email', existing_id: holder }]);
    await service.api.patch(`/api/contacts/${holder}`, { email: 'another@acme.com' });
    const again = await send();
    const { request_id, ...error } = again.body.error;
    expect({ ...error, request_id: first.body.error.request_id }).toEqual(first.body.error);
    expect([again.status, isReplay(again)]).toEqual([409, true]);
    // It is the retry's own, as in its header and in the log.
    expect(request_id).toBe(again.headers['x-request-id']);
    expect((await send(randomUUID())).status).toBe(201);
  });

  test('an unknown company, a missing contact, a stale tag, an empty patch', async () => {
    const id = await createContact(service.api);
    const { etag = '' } = (await service.api.get(`/api/contacts/${id}`)).headers;
    await service.api.patch(`/api/contacts/${id}`, { title: 'CEO' });
    const expectKept = async (status: number, send: (key: string) => ReturnType<typeof service.api.get>) => {
      const key = randomUUID();
      const [first, again] = [await send(key), await send(key)];
      expect([first.status, isReplay(first)]).toEqual([status, false]);
      expect([again.status, isReplay(again)]).toEqual([status, true]);
      expect(again.body.error.details).toEqual(first.body.error.details);
    };
    await expectKept(422, (key) =>
      service.api.post('/api/contacts', { company_id: 'co_nothere0' }, under(key)),
    );
    await expectKept(404, (key) =>
      service.api.patch('/api/contacts/ct_nothere0', { title: 'x' }, under(key)),
    );
    await expectKept(404, (key) =>
      service.api.patch('/api/companies/co_nothere0', { name: 'x' }, under(key)),
    );
    await expectKept(404, (key) => service.api.post('/api/keys/nothere00000/rotate', {}, under(key)));
    await expectKept(400, (key) => service.api.patch(`/api/contacts/${id}`, {}, under(key)));
    await expectKept(412, (key) =>
      service.api.patch(`/api/contacts/${id}`, { phone: '1' }, under(key, { 'if-match': etag })),
    );
  });
});

test('what is refused before the write begins is not kept: faults of the body, a missing scope', async () => {
  const key = randomUUID();
  expect((await service.api.post('/api/contacts', { emial: 'x' }, under(key))).status).toBe(400);
  const good = await service.api.post('/api/contacts', { email: 'mended@acme.com' }, under(key));
  expect([good.status, isReplay(good)]).toEqual([201, false]);
  const reader = await service.withScopes('contacts:read');
  for (const _try of [1, 2]) {
    const response = await reader.post('/api/contacts', { email: 'x@acme.com' }, under(key));
    expect([response.status, isReplay(response)]).toEqual([403, false]);
  }
});

test('a fault of ours is not kept, and the retry does what the first attempt could not', async () => {
  const key = randomUUID();
  const send = () => service.api.post('/api/companies', { name: 'At last' }, under(key));
  await service.sql('ALTER TABLE company RENAME TO company_away');
  expect((await send()).status).toBe(500);
  expect((await send()).status).toBe(500);
  await service.sql('ALTER TABLE company_away RENAME TO company');
  const done = await send();
  expect([done.status, isReplay(done)]).toEqual([201, false]);
  expect(isReplay(await send())).toBe(true);
});

describe('after 24 hours', () => {
  const age = (hours: string) =>
    service.sql(`UPDATE idempotent_write SET created_at = created_at - interval '${hours}'`);

  test('a key is free again, for whatever request', async () => {
    const key = randomUUID();
    const send = (name: string) => service.api.post('/api/companies', { name }, under(key));
    const first = await send('one');
    await age('23 hours 59 minutes');
    expect(isReplay(await send('one'))).toBe(true);
    await age('1 minute');
    const second = await send('two');
    expect([second.status, isReplay(second)]).toEqual([201, false]);
    expect(second.body.data.id).not.toBe(first.body.data.id);
    expect((await send('one')).status).toBe(422);
    expect(isReplay(await send('two'))).toBe(true);
  });
});

describe('at rest', () => {
  test('nothing of request or answer can be read: no new API key, no name, no address, no Idempotency-Key', async () => {
    const key = randomUUID();
    const issued = await service.api.post(
      '/api/keys',
      { name: 'sealed', scopes: ['contacts:read'] },
      under(key),
    );
    const text = issued.body.data.key as string;
    const person = { email: 'sealed.person@acme.com', full_name: 'Sealed Person', notes: 'in confidence' };
    expect((await service.api.post('/api/contacts', person, under(randomUUID()))).status).toBe(201);
    const taken = await service.api.post('/api/contacts', person, under(randomUUID()));
    expect(taken.status).toBe(409);

    const rows = await service.sql<{ row: string }>('SELECT w::text AS row FROM idempotent_write w');
    const dump = rows.map(({ row }) => row).join('\n');
    expect(rows.length).toBeGreaterThanOrEqual(3);
    for (const secret of [key, text, text.slice(-49, -6), ...Object.values(person)]) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(dump).not.toContain(Buffer.from(secret).toString('base64'));
    }
  });
});

test('under another PORTAL_SECRET a kept answer cannot be opened, and nothing is done twice', async () => {
  const issued = await service.api.post('/api/keys', { name: 'x', scopes: ['contacts:write'] });
  const credentials = { 'x-sm-key': issued.body.data.key as string };
  const body = { company_id: await createCompany(service.api), full_name: 'Once' };
  const key = randomUUID();
  expect((await service.as(credentials).post('/api/contacts', body, under(key))).status).toBe(201);
  const rows = await countRows(service, 'contact');
  const settings = {
    DATABASE_URL: service.databaseUrl,
    PORTAL_SECRET: 'another secret of thirty-two characters',
  };
  const changed = await TestService.start(settings);
  try {
    const again = await changed.as(credentials).post('/api/contacts', body, under(key));
    expect([again.status, again.body.error.code]).toEqual([422, 'idempotency_key_reused']);
  } finally {
    await changed.stop();
  }
  expect(await countRows(service, 'contact')).toBe(rows);
});
