// Everything a client can get wrong: each gets its own 4xx with a message that helps, and nothing is written.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiKeysService } from '../../src/auth/api-keys.service.js';
import { OPERATOR, SCOPES } from '../../src/auth/caller.js';
import { countRows, createContact, insertRows, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let before: object;
const ID = 'ct_a1b2c3d4';
const ROUTES = [
  ['post', '/api/contacts'],
  ['patch', `/api/contacts/${ID}`],
  ['post', '/api/companies'],
  ['patch', '/api/companies/co_e5f6g7'],
] as const;

const snapshot = async (): Promise<object> => ({
  contacts: await countRows(service, 'contact'),
  companies: await countRows(service, 'company'),
  contact: await readContact(service.api, ID),
  company: (await service.api.get('/api/companies/co_e5f6g7')).body,
});

beforeAll(async () => {
  service = await TestService.start();
  await insertRows(service, 'company', [{ id: 'co_e5f6g7', name: 'Acme Corp', company_type: 'client' }]);
  const id = await createContact(service.api, { email: 'jane@acme.com', company_id: 'co_e5f6g7' });
  await service.sql('UPDATE contact SET id = $1 WHERE id = $2', [ID, id]);
});
afterAll(() => service.stop());
beforeEach(async () => {
  before = await snapshot();
});
afterEach(async () => expect(await snapshot()).toEqual(before));

describe.each(ROUTES)('%s %s', (method, path) => {
  const send = (body: unknown, headers: Record<string, string> = {}) =>
    service.api[method](path, body, { headers });
  /** The path of a text field that every one of these routes has. */
  const text = 'notes';

  test.each([
    ['broken JSON', '{"notes": }', 400, 'invalid_json', 'not valid JSON'],
    ['JSON cut off', '{"notes":"x"', 400, 'invalid_json', 'not valid JSON'],
    ['two values', '{} {}', 400, 'invalid_json', 'not valid JSON'],
    ['no body', '', 400, 'invalid_json', 'empty'],
    ['a number', '7', 400, 'invalid_request', 'JSON object'],
    ['null', 'null', 400, 'invalid_request', 'JSON object'],
    ['a string', '"x"', 400, 'invalid_request', 'JSON object'],
    ['a list', '[{"notes":"x"}]', 400, 'invalid_request', 'JSON object'],
    ['__proto__', '{"__proto__":{"notes":"x"}}', 400, 'invalid_json', 'prototype'],
    ['__proto__ deep inside', '{"notes":{"a":[{"__proto__":null}]}}', 400, 'invalid_json', 'prototype'],
    ['constructor.prototype', '{"constructor":{"prototype":{}}}', 400, 'invalid_json', 'prototype'],
    ['constructor', '{"constructor":"x","name":"x"}', 400, 'invalid_request', ''],
    ['toString', '{"toString":"x","notes":"y"}', 400, 'invalid_request', ''],
    ['hasOwnProperty', '{"hasOwnProperty":1,"then":1}', 400, 'invalid_request', 'faults'],
    ['an infinite number', '{"notes":1e999}', 400, 'invalid_request', 'too large'],
    ['a NUL', '{"notes":"a\\u0000b"}', 400, 'invalid_request', 'NUL'],
    ['a NUL in a name', '{"no\\u0000tes":"x"}', 400, 'invalid_request', 'NUL'],
    ['half a surrogate pair', '{"notes":"\\ud800"}', 400, 'invalid_request', 'surrogate'],
    ['half a surrogate pair in a name', '{"\\udc00":"x"}', 400, 'invalid_request', 'surrogate'],
    ['10,000 levels', `{"notes":${'['.repeat(1e4)}${']'.repeat(1e4)}}`, 400, 'invalid_request', 'nested'],
  ])('%s in the body is refused', async (_what, body, status, code, hint) => {
    const response = await send(body);
    expect(response.status).toBe(status);
    expect(response.body.error.code).toBe(code);
    expect(response.body.error.message).toContain(hint);
  });

  test('malformed UTF-8 in the body is refused', async () => {
    const { key } = await service.app
      .get(ApiKeysService)
      .create(OPERATOR, { name: 'raw', scopes: [...SCOPES] });
    const response = await fetch(service.url + path, {
      method: method.toUpperCase(),
      headers: { 'x-sm-key': key, 'content-type': 'application/json' },
      body: Buffer.from([...Buffer.from('{"notes":"'), 0xff, 0xfe, ...Buffer.from('"}')]),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_json' } });
  });

  test('a body beyond 1 MiB is refused', async () => {
    const response = await send({ [text]: 'x'.repeat(1024 * 1024) });
    expect(response.status).toBe(413);
    expect(response.body.error.code).toBe('body_too_large');
  });

  test.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'nonsense',
  ])('a body of type %s is refused', async (type) => {
    const response = await send('{"notes":"x"}', { 'content-type': type });
    expect(response.status).toBe(415);
    expect(response.body.error).toMatchObject({
      code: 'unsupported_media_type',
      message: expect.stringContaining('application/json'),
    });
  });

  test('an unknown field is named together with the nearest known one', async () => {
    const response = await send({ note: 'x', prodcut: 'x', zzzzzzzzzz: 1 });
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual(
      expect.arrayContaining([
        { field: 'note', code: 'unknown_field', message: 'There is no field "note"; did you mean "notes"?' },
        {
          field: 'prodcut',
          code: 'unknown_field',
          message: 'There is no field "prodcut"; did you mean "product"?',
        },
        { field: 'zzzzzzzzzz', code: 'unknown_field', message: 'There is no field "zzzzzzzzzz".' },
      ]),
    );
  });

  test('of fifty thousand unknown fields a hundred are named', async () => {
    const response = await send(Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`x${n}`, 0])));
    const { details } = response.body.error;
    expect([response.status, details[99].field]).toEqual([400, 'x99']);
    expect(details[100].message).toBe('There are 49900 further names of which there is no field.');
    expect(details.length).toBeLessThan(110);
  });

  test('every fault is listed at once', async () => {
    const response = await send({ notes: 5, source: null, product: 'Not A Slug', bogus: 1 });
    const { details, message } = response.body.error;
    const fields = (details as { field: string }[]).map(({ field }) => field);
    expect(fields).toEqual(expect.arrayContaining(['notes', 'source', 'product', 'bogus']));
    expect(message).toContain(`${fields.length} faults`);
  });

  test.each([[5], [true], [['x']], [{ a: 1 }]])('%j is not coerced to text', async (value) => {
    const response = await send({ [text]: value });
    expect(response.status).toBe(400);
    expect(response.body.error.details).toContainEqual({
      field: text,
      code: 'wrong_type',
      message: 'notes must be a string.',
    });
  });
});

describe.each(['/api/contacts', '/api/companies'])('GET %s', (path) => {
  const LONG = 'x'.repeat(5_000);
  test.each([
    ['an unknown parameter', 'serach=x', 'serach', 'did you mean "search"'],
    ['the body field’s name', 'contact_tpye=x', 'contact_tpye', 'There is no parameter'],
    ['a parameter twice', 'type=a&type=b', 'type', 'more than once'],
    ['a parameter twice, alike', 'source=a&source=a', 'source', 'more than once'],
    ['an unknown parameter twice', 'x=1&x=2', 'x', '2 faults'],
    ['brackets', 'type[]=a', 'type[]', 'There is no parameter'],
    ['__proto__', '__proto__=x', '__proto__', 'There is no parameter'],
    ['__proto__ twice', '__proto__=x&__proto__=y', '__proto__', '2 faults'],
    ['constructor', 'constructor=x', 'constructor', 'There is no parameter'],
    ['toString', 'toString', 'toString', 'There is no parameter'],
    ['a nameless parameter', '=x', '', 'There is no parameter'],
    ['page=1e9', 'page=1e9', 'page', 'integer'],
    ['a negative page', 'page=-1', 'page', 'integer'],
    ['a huge limit', 'limit=1000000', 'limit', 'from 1 to 100'],
    ['a search of 5,000 characters', `search=${LONG}`, 'search', 'from 1 to 200'],
    ['an empty search', 'search=', 'search', 'from 1 to 200'],
    ['a NUL', 'search=a%00b', 'query', 'NUL'],
    ['a NUL in a name', 'a%00b=1', 'query', 'NUL'],
    ['an empty filter', 'type=', 'type', 'from 1'],
    ['an unknown sort', 'sort=bogus', 'sort', 'name'],
  ])('with %s is refused', async (_what, query, field, hint) => {
    const response = await service.api.get(`${path}?${query}`);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({ code: 'invalid_request', field });
    expect(response.body.error.message).toContain(hint);
  });

  test.each(['search=%', 'search=%zz', 'search=%ff', 'search=%ed%a0%80', 'search=%c0%80', '%ff=1'])(
    'with the malformed %s is refused',
    async (query) => {
      const response = await service.api.get(`${path}?${query}`);
      expect(response.status).toBe(400);
      expect(response.body.error.code).toBe('malformed_url');
    },
  );
});

test.each([
  ['company_id=ct_a1b2c3d4', 'co_a1b2c3d4'],
  ['company_id=acme', 'co_a1b2c3d4'],
  ['email=nobody', 'e-mail address'],
  ['portal_access=2', '0 or 1'],
  ['portal_access=true', '0 or 1'],
  ['portal_role=admin', 'client_admin, client_viewer'],
  ['created_after=yesterday', 'timestamp'],
  ['created_after=2026-01-31', 'timestamp'],
  ['created_before=2026-02-30T00:00:00Z', 'timestamp'],
  ['updated_after=2026-01-31T12:00:00+01:00', 'timestamp'],
  ['updated_before=', 'timestamp'],
  ['tag=', 'from 1 to 200'],
])('GET /api/contacts?%s is refused with the form it should have', async (query, hint) => {
  const response = await service.api.get(`/api/contacts?${query}`);
  expect(response.status).toBe(400);
  expect(response.body.error).toMatchObject({
    code: 'invalid_request',
    field: query.split('=')[0],
    message: expect.stringContaining(hint),
  });
});

describe.each([
  ['/api/contacts/', 'co_e5f6g7'],
  ['/api/companies/', ID],
])('below %s', (path, otherKind) => {
  test.each([
    ['unknown', 'ct_nothere0', 404],
    ['of another kind', otherKind, 404],
    ['without a prefix', 'a1b2c3d4', 404],
    ['of 150 characters', 'x'.repeat(150), 404],
    ['of SQL', "'%20OR%201=1--", 404],
    ['a NUL', 'ct_%00', 400],
    ['a prototype key', '__proto__', 404],
    ['empty', '', 404],
    ['no UTF-8', '%ff', 400],
    ['no percent-encoding', '%zz', 400],
  ])('an id that is %s has no page and takes no patch', async (_what, id, status) => {
    for (const response of [
      await service.api.get(path + id),
      await service.api.patch(path + id, { notes: 'x' }),
    ]) {
      expect(response.status).toBe(status);
      expect(response.body.error.code).toBe(status === 404 ? 'not_found' : 'malformed_url');
    }
  });
});

test.each([
  ['get', '/api/nothing'],
  ['delete', `/api/contacts/${ID}`],
  ['post', `/api/contacts/${ID}`],
] as const)('%s %s is no route', async (method, path) => {
  const response = method === 'post' ? await service.api.post(path, {}) : await service.api[method](path);
  expect(response.status).toBe(404);
  expect(response.body.error.code).toBe('not_found');
});
