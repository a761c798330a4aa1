// A service that was given no signing keys; in a file of its own because passport keeps one registry per process.
import { expect, test } from '@jest/globals';
import { TestService } from '../support/service.js';
import { TokenMaker } from '../support/tokens.js';

test.each<Record<string, string>>([
  {},
  { JWT_ISSUER: 'https://contacts.test', JWT_AUDIENCE: 'portal', JWT_JWKS: '{"keys":[]}' },
])('without signing keys no token is good: %j', async (settings) => {
  const service = await TestService.start(settings);
  try {
    const [row] = await service.sql<{ id: string }>(
      `INSERT INTO contact (id, email, portal_access) VALUES ('ct_a1b2c3d4', 'jane@acme.com', 1) RETURNING id`,
    );
    const token = await (await TokenMaker.create()).sign(row?.id ?? '');
    const response = await service.as({ authorization: `Bearer ${token}` }).get('/api/contacts');
    expect(response.status).toBe(401);
  } finally {
    await service.stop();
  }
});
