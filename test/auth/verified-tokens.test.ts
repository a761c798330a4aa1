// A portal token is verified once: its signature costs more than the rest of a request.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type PortalUser, createPortalUser } from '../support/portal-users.js';
import { TestService } from '../support/service.js';

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
