// A key hands on no more than it may itself, not from elsewhere, and not for longer.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

async function issue(fields: object): Promise<{ id: string; key: string }> {
  const { status, body } = await service.api.post('/api/keys', {
    name: 'backend',
    scopes: ['contacts:read'],
    ...fields,
  });
  expect(status).toBe(201);
  return body.data as { id: string; key: string };
}

test('minting', async () => {
  const manager = await service.withScopes('keys:manage', 'contacts:read');
  const own = await manager.post('/api/keys', { name: 'x', scopes: ['contacts:read'] });
  expect(own.status).toBe(201);
  const more = await manager.post('/api/keys', { name: 'x', scopes: ['contacts:read', 'contacts:write'] });
  expect([more.status, more.body.error.code, more.body.error.field]).toEqual([
    403,
    'insufficient_scope',
    'scopes',
  ]);
  expect(more.body.error.message).toContain('contacts:write');
});

describe('from a network of its own and until a day of its own,', () => {
  const expires_at = inMs(3_600_000);
  const allowed_cidrs = ['127.0.0.0/8', '10.0.0.0/8', '2001:db8::/32'];
  const made = { name: 'x', scopes: ['contacts:read'] };
  const manager = async () => {
    const scopes = ['keys:manage', 'contacts:read'];
    return service.as({ 'x-sm-key': (await issue({ scopes, allowed_cidrs, expires_at })).key });
  };

  test('minting gives both on, unless narrower ones are asked for', async () => {
    const { body } = await (await manager()).post('/api/keys', made);
    expect(body.data).toMatchObject({ allowed_cidrs, expires_at });
    const narrow = { allowed_cidrs: ['10.1.0.0/16', '2001:db8::/32'], expires_at: inMs(60_000) };
    const narrower = await (await manager()).post('/api/keys', { ...made, ...narrow });
    expect(narrower.body.data).toMatchObject(narrow);
    const [entry] = await service.sql(
      `SELECT details FROM auth_audit_log WHERE event = 'key_created' AND subject_id = $1`,
      [narrower.body.data.id],
    );
    expect(entry).toEqual({
      details: { scopes: 'contacts:read', ...narrow, allowed_cidrs: narrow.allowed_cidrs.join(',') },
    });
  });

  test.each([
    ['allowed_cidrs', ['10.0.0.0/7']],
    ['allowed_cidrs', ['10.0.0.0/8', '11.0.0.0/8']],
    ['allowed_cidrs', ['::/0']],
    ['expires_at', inMs(3_700_000)],
  ])('minting with %s %j is refused', async (field, value) => {
    const { status, body } = await (await manager()).post('/api/keys', { ...made, [field]: value });
    expect([status, body.error.code, body.error.field]).toEqual([403, 'forbidden', field]);
  });

  test.each([
    ['allowed_cidrs', { expires_at }],
    ['expires_at', { allowed_cidrs }],
  ])('rotating a key without %s is refused, and changes nothing', async (field, bounds) => {
    const { id } = await issue(bounds);
    const secret = () => service.sql('SELECT secret_hash FROM api_key WHERE id = $1', [id]);
    const before = await secret();
    const { status, body } = await (await manager()).post(`/api/keys/${id}/rotate`, { overlap_seconds: 0 });
    expect([status, body.error.code, body.error.field]).toEqual([403, 'forbidden', field]);
    expect(await secret()).toEqual(before);
  });

  test('rotating itself is not', async () => {
    const { id, key } = await issue({ scopes: ['keys:manage'], allowed_cidrs, expires_at });
    const response = await service.as({ 'x-sm-key': key }).post(`/api/keys/${id}/rotate`, {});
    expect(response.status).toBe(200);
  });
});

test('rotating, which tells the new secret', async () => {
  const manager = await service.withScopes('keys:manage', 'contacts:read');
  const strong = await issue({ scopes: ['contacts:write'] });
  const response = await manager.post(`/api/keys/${strong.id}/rotate`, {});
  expect([response.status, response.body.error.code]).toEqual([403, 'insufficient_scope']);
  const weak = await issue({ scopes: ['contacts:read'] });
  expect((await manager.post(`/api/keys/${weak.id}/rotate`, {})).status).toBe(200);
});

describe('with the secret before a rotation, which ends with the overlap,', () => {
  const rotated = async (bounds: object = {}) => {
    const { id, key } = await issue({ scopes: ['keys:manage', 'contacts:read'], ...bounds });
    const { body } = await service.api.post(`/api/keys/${id}/rotate`, { overlap_seconds: 3_600 });
    return {
      id,
      before: service.as({ 'x-sm-key': key }),
      after: service.as({ 'x-sm-key': body.data.key as string }),
    };
  };
  const refused = { status: 403, code: 'forbidden', field: 'expires_at' };
  const told = ({ status, body }: { status: number; body: { error?: { code: string; field: string } } }) => ({
    status,
    code: body.error?.code,
    field: body.error?.field,
  });

  test('no key is rotated that lasts longer, least of all its own', async () => {
    const { id, before, after } = await rotated();
    expect(told(await before.post(`/api/keys/${id}/rotate`, { overlap_seconds: 0 }))).toEqual(refused);
    const other = await issue({});
    expect(told(await before.post(`/api/keys/${other.id}/rotate`, {}))).toEqual(refused);
    expect((await after.get('/api/contacts')).status).toBe(200);
    expect((await after.post(`/api/keys/${id}/rotate`, {})).status).toBe(200);
  });

  test('keys are minted until then, and for no longer', async () => {
    const { id, before } = await rotated();
    const [{ end } = { end: null }] = await service.sql<{ end: Date | null }>(
      'SELECT previous_expires_at AS end FROM api_key WHERE id = $1',
      [id],
    );
    const made = { name: 'x', scopes: ['contacts:read'] };
    const { status, body } = await before.post('/api/keys', made);
    expect([status, body.data.expires_at]).toEqual([201, end?.toISOString()]);
    expect(told(await before.post('/api/keys', { ...made, expires_at: inMs(4_000_000) }))).toEqual(refused);
  });

  test('or until the key itself ends, if that is sooner', async () => {
    const expires_at = inMs(60_000);
    const { before } = await rotated({ expires_at });
    const { body } = await before.post('/api/keys', { name: 'x', scopes: ['contacts:read'] });
    expect(body.data.expires_at).toBe(expires_at);
  });
});
