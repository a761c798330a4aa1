// A portal token is verified once: its signature costs more than the rest of a request.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type PortalUser, createPortalUser } from '../support/portal-users.js';
import { TestService } from '../support/service.js';
import { statementsDuring } from '../support/statements.js';
import { TokenMaker } from '../support/tokens.js';

describe.each([
  ['the published keys', {}],
  ['a shared secret', { JWT_SECRET: 'one that the tests alone know, of sixty-four letters and more' }],
])('by %s', (_what, settings) => {
  let service: TestService;
  let user: PortalUser;
  beforeAll(async () => {
    service = await TestService.start(settings);
    user = await createPortalUser(service);
  });
  afterAll(() => service.stop());

  test('a token is verified at its first use alone, and what it stands for at each', async () => {
    const verify = jest.spyOn(globalThis.crypto.subtle, 'verify');
    for (let use = 1; use <= 5; use += 1) expect((await user.client.get('/auth/session')).status).toBe(200);
    expect(verify).toHaveBeenCalledTimes(1);
    await service.api.patch(`/api/contacts/${user.id}`, { portal_access: 0 });
    expect((await user.client.get('/auth/session')).status).toBe(401);
    verify.mockRestore();
  });
});

/** In ms: an unknown key is looked for at most once in it. */
const A_SECOND = 1_000;

describe('tokens of unknown keys,', () => {
  let service: TestService;
  let user: PortalUser;
  let tokens: TokenMaker;
  beforeAll(async () => {
    service = await TestService.start();
    user = await createPortalUser(service);
    tokens = await TokenMaker.trustedBy(service);
  });
  afterAll(() => service.stop());

  test('twenty at once, make one query a second, and no good token be verified again', async () => {
    expect((await user.client.get('/auth/session')).status).toBe(200);
    await sleep(A_SECOND + 100);
    const forged = await tokens.sign(user.id, { header: { kid: 'nobody-knows' } });
    const forger = service.as({ authorization: `Bearer ${forged}` });
    const begun = performance.now();
    const statements = await statementsDuring(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => forger.get('/auth/session')));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    });
    const reads = statements.filter((text) => text.includes('FROM signing_key')).length;
    expect(reads).toBeGreaterThanOrEqual(1);
    expect(reads).toBeLessThanOrEqual(1 + Math.floor((performance.now() - begun) / A_SECOND));
    const verify = jest.spyOn(globalThis.crypto.subtle, 'verify');
    expect((await user.client.get('/auth/session')).status).toBe(200);
    expect(verify).not.toHaveBeenCalled();
    verify.mockRestore();
  });
});
