// Which server a read goes to: the replica while it has all that the caller may expect to see, and else the primary.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createCompany, createContact } from '../support/factories.js';
import { createPortalUser } from '../support/portal-users.js';
import { ReplicaServices } from '../support/replica-services.js';
import { Metrics } from '../support/scrape.js';
import type { TestService } from '../support/service.js';
import { waitUntil } from '../support/wait.js';

/** So long that what is left out is left out for another reason. */
const PATIENT = { DATABASE_REPLICA_MAX_LAG_MS: '60000' };
const TOKEN = 'x-consistency-token';

let replica: ReplicaServices;
beforeAll(async () => {
  replica = await ReplicaServices.start();
});
beforeEach(() => replica.ready());
afterEach(() => replica.stopServices());
afterAll(() => replica.stop());

/** Renames a contact and answers the token of that. */
async function rename(service: TestService, id: string, first_name: string): Promise<string> {
  const { status, headers } = await service.api.patch(`/api/contacts/${id}`, { first_name });
  expect(status).toBe(200);
  return headers[TOKEN] as string;
}

const nameOf = async (service: TestService, id: string, headers = {}): Promise<unknown> =>
  (await service.api.get(`/api/contacts/${id}`, { headers })).body.data.first_name;

describe('on the replica', () => {
  test('lists and gets are read', async () => {
    const service = await replica.service(PATIENT);
    const company = await createCompany(service.api, { name: 'Before Ltd' });
    const contact = await createContact(service.api, { company_id: company, first_name: 'Before' });
    const headers = { [TOKEN]: await rename(service, contact, 'Before') };
    await waitUntil(() => replica.isRead(service, headers[TOKEN]));
    await replica.pause();
    // Only the primary knows.
    await service.api.patch(`/api/companies/${company}`, { name: 'After Ltd' });
    await rename(service, contact, 'After');
    const answers = await Promise.all(
      [
        `/api/contacts/${contact}`,
        `/api/contacts?company_id=${company}`,
        `/api/contacts?search=before`,
        `/api/contacts?company_id=${company}&total=0`,
        '/api/contacts',
        `/api/companies/${company}`,
        '/api/companies',
      ].map((path) => service.api.get(path, { headers })),
    );
    for (const { status, text } of answers) {
      expect({ status, text }).toEqual({ status: 200, text: expect.stringContaining('Before') });
      expect(text).not.toContain('After');
    }
  });

  test('and nowhere else, which is counted', async () => {
    const service = await replica.service({ ...PATIENT, METRICS_PORT: '0' });
    const counts = async (): Promise<(number | undefined)[]> => {
      const metrics = await Metrics.of(service);
      return ['primary', 'replica'].map((server) => metrics.value('contacts_reads_total', { server }));
    };
    const id = await createContact(service.api);
    const [onPrimary, onReplica = 0] = await counts();
    await service.api.get(`/api/contacts/${id}`);
    await service.api.get('/api/contacts');
    expect(await counts()).toEqual([onPrimary, onReplica + 2]);
  });

  test('nobody is let in who no longer may', async () => {
    const service = await replica.service(PATIENT);
    const { id, client } = await createPortalUser(service);
    const headers = { [TOKEN]: await rename(service, id, 'Petra') };
    expect((await client.get('/api/contacts', { headers })).status).toBe(200);
    await replica.pause();
    expect((await service.api.patch(`/api/contacts/${id}`, { portal_access: 0 })).status).toBe(200);
    expect((await client.get('/api/contacts', { headers })).status).toBe(401);
  });
});

describe('a client sees its own write', () => {
  /** Longer than a request takes, so that a read that does not wait for the replica comes too early. */
  const DELAY = '30ms';

  test('whatever it sends, by way of any process', async () => {
    const [one, other] = [await replica.service(PATIENT), await replica.service(PATIENT)];
    await replica.set('recovery_min_apply_delay', DELAY);
    const id = await createContact(one.api);
    const seen: boolean[] = [];
    for (let round = 1; round <= 20; round += 1) {
      await rename(one, id, `Name${round}`);
      const reading = nameOf(other, id);
      seen.push(await replica.isRead(other));
      expect(await reading).toBe(`Name${round}`);
    }
    expect(new Set(seen)).toEqual(new Set([true]));
  });

  test('on the primary, while the replica has not come as far', async () => {
    const [one, other] = [await replica.service(), await replica.service()];
    const id = await createContact(one.api, { first_name: 'Before' });
    const before = await rename(one, id, 'Before');
    await replica.pause();
    const after = await rename(one, id, 'After');
    const headersOf = [{ [TOKEN]: after }, {}, { [TOKEN]: 'nonsense' }, { [TOKEN]: 'FFFFFFFF/FFFFFFFF' }];
    for (const headers of headersOf) expect(await nameOf(other, id, headers)).toBe('After');
    // The time for which that is enough has passed as well.
    expect(await nameOf(other, id, { [TOKEN]: before })).toBe('After');
  });

  test('with its token as soon as the replica has come as far', async () => {
    const service = await replica.service(PATIENT);
    const id = await createContact(service.api);
    await replica.pause();
    const token = await rename(service, id, 'After');
    await replica.resume();
    expect(await nameOf(service, id, { [TOKEN]: token })).toBe('After');
    await waitUntil(() => replica.isRead(service, token));
  });

  test('and a list has what it created, with its total', async () => {
    const service = await replica.service(PATIENT);
    await replica.set('recovery_min_apply_delay', DELAY);
    for (let round = 1; round <= 10; round += 1) {
      const source = `round${round}`;
      await createContact(service.api, { source });
      const { body } = await service.api.get(`/api/contacts?source=${source}`);
      expect(body.data).toMatchObject({ total: 1, items: [{ contact_type: expect.any(String) }] });
    }
  });
});

test('without a replica no answer has a token, and a token changes nothing', async () => {
  const service = await replica.service({ DATABASE_REPLICA_URL: '' }, { isUsed: false });
  const id = await createContact(service.api);
  const { headers } = await service.api.patch(`/api/contacts/${id}`, { first_name: 'Ida' });
  expect(headers).not.toHaveProperty(TOKEN);
  expect(await nameOf(service, id, { [TOKEN]: '0/1' })).toBe('Ida');
});
