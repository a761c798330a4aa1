// Many attempts at once under one key: one does the write, and nobody waits for it.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createCompany, createContact, readContact } from '../support/factories.js';
import { type HeldCompany, holdCompany } from '../support/hold-company.js';
import { PATIENT, TestService } from '../support/service.js';

let service: TestService;
let held: HeldCompany | undefined;
beforeAll(async () => {
  service = await TestService.start({ ...PATIENT, DATABASE_POOL_SIZE: '4' });
});
afterEach(() => held?.release());
afterAll(() => service.stop());

const under = (key: string) => ({ headers: { 'idempotency-key': key } });

async function countOf(name: string): Promise<number> {
  const [row] = await service.sql<{ count: number }>(
    'SELECT count(*)::int AS count FROM contact WHERE full_name = $1',
    [name],
  );
  return row?.count ?? 0;
}

test('twenty at once, in two processes’ worth of service, make one contact and answer it or in_progress', async () => {
  const second = await TestService.start({ ...PATIENT, DATABASE_URL: service.databaseUrl });
  try {
    const { body: issued } = await service.api.post('/api/keys', { name: 'x', scopes: ['contacts:write'] });
    const credentials = { 'x-sm-key': issued.data.key as string };
    for (let round = 1; round <= 5; round += 1) {
      const body = { company_id: await createCompany(service.api), full_name: `Round ${round}` };
      const key = randomUUID();
      const send = (at: TestService) => at.as(credentials).post('/api/contacts', body, under(key));
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => send(index % 2 === 0 ? service : second)),
      );
      const made = answers.filter(({ status }) => status === 201);
      expect(made.filter(({ headers }) => !('idempotency-replayed' in headers))).toHaveLength(1);
      expect(new Set(made.map(({ text, headers }) => text + headers.location)).size).toBe(1);
      for (const { status, body: answer, headers } of answers.filter((one) => !made.includes(one))) {
        expect([status, answer.error.code, headers['retry-after']]).toEqual([409, 'in_progress', '1']);
      }
      expect(await countOf(body.full_name)).toBe(1);
      expect((await send(second)).text).toBe(made[0]?.text);
    }
  } finally {
    await second.stop();
  }
});

test('while the first attempt runs its retry is told so at once, and other keys are not held up', async () => {
  const company_id = await createCompany(service.api);
  const body = { company_id, full_name: 'Slow' };
  const key = randomUUID();
  held = await holdCompany(service, company_id, 'UPDATE');
  const first = service.api.post('/api/contacts', body, under(key));
  await held.untilWaiting(1);
  for (const sent of [body, { ...body, full_name: 'Another' }]) {
    const early = await service.api.post('/api/contacts', sent, under(key));
    expect([early.status, early.body.error.code]).toEqual([409, 'in_progress']);
    expect(early.headers).not.toHaveProperty('idempotency-replayed');
  }
  const other = await service.api.post('/api/contacts', { email: 'quick@acme.com' }, under(randomUUID()));
  expect(other.status).toBe(201);
  await held.release();
  expect((await first).status).toBe(201);
  expect((await service.api.post('/api/contacts', body, under(key))).text).toBe((await first).text);
  expect(await countOf('Slow')).toBe(1);
});

test('more refusals at once than there are connections each find what they have to tell', async () => {
  const existing_id = await createContact(service.api, { email: 'wanted@acme.com' });
  const answers = await Promise.all(
    Array.from({ length: 16 }, () =>
      service.api.post('/api/contacts', { email: 'wanted@acme.com' }, under(randomUUID())),
    ),
  );
  for (const { status, body } of answers) {
    expect(status).toBe(409);
    expect(body.error.details).toEqual([{ field: 'email', existing_id }]);
  }
  const rotations = await Promise.all(
    Array.from({ length: 16 }, () =>
      service.api.post('/api/keys/nothere00000/rotate', {}, under(randomUUID())),
    ),
  );
  expect(new Set(rotations.map(({ status }) => status))).toEqual(new Set([404]));
});

test('two changes of one contact under keys of their own both land', async () => {
  const id = await createContact(service.api);
  const answers = await Promise.all([
    service.api.patch(`/api/contacts/${id}`, { title: 'CEO' }, under(randomUUID())),
    service.api.patch(`/api/contacts/${id}`, { phone: '1' }, under(randomUUID())),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(await readContact(service.api, id)).toMatchObject({ title: 'CEO', phone: '1' });
});
