// Sign-in mail when the SMTP server does not do its part, or takes its time.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RETRIES, installQueues } from '../../src/mail/install-queues.js';
import { mailJobIn } from '../support/mail-jobs.js';
import { PortalService } from '../support/portal.js';

let portal: PortalService;
beforeAll(async () => {
  portal = await PortalService.start();
});
afterAll(() => portal.stop());

const jobIn = (requestId: string, state: string) => mailJobIn(portal, requestId, state);

describe('when the SMTP server', () => {
  test('is down, the answer is the same, and the mail comes once it is back', async () => {
    const { email } = await portal.contact();
    await portal.mail.stop();
    const requestId = await portal.ask(email);
    const { output } = await jobIn(requestId, 'retry');
    expect(output).toEqual({ code: 'ESOCKET' });
    await portal.mail.start();
    const { token } = await portal.mail.mailTo(email);
    expect((await portal.browser().post('/auth/magic-link/verify', { token })).status).toBe(200);
    await jobIn(requestId, 'completed');
    expect(portal.mail.mailsTo(email)).toHaveLength(1);
  });

  test('does not greet, nobody waits for it, whoever has the address', async () => {
    const contacts = [await portal.contact(), await portal.contact()];
    const { connections } = portal.mail;
    portal.mail.hold();
    try {
      for (const { email } of contacts) await portal.ask(email);
      while (portal.mail.connections < connections + 1) await sleep(10);
      await portal.ask('nobody@acme.test');
      await portal.ask((await portal.contact()).email);
      for (const { email } of contacts) expect(portal.mail.mailsTo(email)).toEqual([]);
    } finally {
      portal.mail.release();
    }
    for (const { email } of contacts) await portal.mail.mailTo(email);
  });
});

describe('when the SMTP server takes its time to accept a mail', () => {
  const slowly = async (ms: number): Promise<string> => {
    const { email } = await portal.contact();
    portal.mail.slowFor.set(email, ms);
    return email;
  };

  test('it is sent once', async () => {
    const email = await slowly(12_000);
    await jobIn(await portal.ask(email), 'completed');
    expect(portal.mail.mailsTo(email)).toHaveLength(1);
  });

  test('those beside it are done, and whoever asks later need not wait', async () => {
    const emails = [await slowly(20_000), (await portal.contact()).email, (await portal.contact()).email];
    const [slow = '', ...beside] = await Promise.all(emails.map((email) => portal.ask(email)));
    for (const requestId of beside) await jobIn(requestId, 'completed');
    await jobIn(await portal.ask((await portal.contact()).email), 'completed');
    await jobIn(slow, 'active');
  });

  test('a mail that has to be sent again is the same mail', async () => {
    const email = await slowly(0);
    const requestId = await portal.ask(email);
    await jobIn(requestId, 'completed');
    await portal.service.sql(
      `UPDATE pgboss.job SET state = 'retry', start_after = now(), completed_on = NULL WHERE data->>'id' = $1`,
      [requestId],
    );
    await jobIn(requestId, 'completed');
    const ids = portal.mail.mailsTo(email).map(({ content }) => content.messageId);
    expect(ids).toEqual([`<${requestId}@acme.test>`, `<${requestId}@acme.test>`]);
  });
});

test('a queue from an earlier release is given the waits of this one', async () => {
  const { service } = portal;
  await service.sql(
    'UPDATE pgboss.queue SET retry_limit = 5, retry_delay_max = NULL, heartbeat_seconds = NULL',
  );
  await installQueues(service.databaseUrl);
  const [queue] = await service.sql(
    'SELECT retry_limit, retry_delay_max, heartbeat_seconds, expire_seconds FROM pgboss.queue',
  );
  expect(queue).toEqual({
    retry_limit: RETRIES.retryLimit,
    retry_delay_max: RETRIES.retryDelayMax,
    heartbeat_seconds: RETRIES.heartbeatSeconds,
    expire_seconds: RETRIES.expireInSeconds,
  });
});
