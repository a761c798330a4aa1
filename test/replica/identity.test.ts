// What is no standby of the primary, or no longer, is never read from.
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createContact, readContact } from '../support/factories.js';
import { ReplicaServices } from '../support/replica-services.js';
import { ReplicatedServers } from '../support/replicated-servers.js';
import { waitUntil } from '../support/wait.js';

let replica: ReplicaServices;
beforeAll(async () => {
  replica = await ReplicaServices.start();
});
afterEach(() => replica.stopServices());
afterAll(() => replica.stop());

async function expectLeftOut(
  url: string,
  reason: string,
  primary = replica.servers.primary.url(),
): Promise<void> {
  const warn = jest.spyOn(Logger.prototype, 'warn');
  // Were it too late first, its other fault would not be told.
  const late = { DATABASE_REPLICA_MAX_LAG_MS: '60000' };
  const settings = { DATABASE_URL: primary, DATABASE_REPLICA_URL: url, ...late };
  const service = await replica.service(settings, { isUsed: false });
  await waitUntil(async () =>
    warn.mock.calls.some(([line]) => line === `The replica is left out: ${reason}`),
  );
  warn.mockRestore();
  expect(await replica.isRead(service)).toBe(false);
  const id = await createContact(service.api);
  expect(await readContact(service.api, id)).toMatchObject({ id });
}

test('the primary itself is no replica', () =>
  expectLeftOut(replica.servers.primary.url(), 'it is not a standby'));

test('neither is another database of the same standby', () =>
  expectLeftOut(replica.servers.standby.url('postgres'), 'it is a standby of another primary'));

test('nor a standby of another primary', async () => {
  const others = await ReplicatedServers.start();
  try {
    await expectLeftOut(others.standby.url(), 'it is a standby of another primary');
  } finally {
    await others.stop();
  }
});

test('a replica that was promoted is left out, and a standby that does not follow it when it is the primary', async () => {
  const follower = await replica.servers.second();
  const service = await replica.service();
  const id = await createContact(service.api, { first_name: 'Before' });
  await replica.servers.caughtUp();
  await replica.servers.standby.promote();
  await replica.servers.standby.sql(`UPDATE contact SET first_name = 'Elsewhere' WHERE id = $1`, [id]);
  for (let time = 1; time <= 20; time += 1)
    expect(await readContact(service.api, id)).toMatchObject({ first_name: 'Before' });
  expect(await replica.isRead(service)).toBe(false);
  const promoted = replica.servers.standby.url();
  await expectLeftOut(follower.url(), 'it is a standby of another primary', promoted);
});
