// Requests that no route ever sees, or should not: each gets the failure envelope and leaves the server well.
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ContactListsRepository } from '../../src/contacts/contact-lists.repository.js';
import { countRows } from '../support/factories.js';
import { TestService } from '../support/service.js';

const MIB = 1024 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());
afterEach(() => {
  jest.restoreAllMocks();
});

describe('X-Request-Id', () => {
  test.each(['12345678', 'trace-1.2:3/4+5=6@7', 'a'.repeat(128)])('%s is taken over', async (id) => {
    const response = await service.as({ 'x-request-id': id }).get('/api/contacts');
    expect(response.headers['x-request-id']).toBe(id);
    expect(response.body.error.request_id).toBe(id);
  });

  test.each([
    '',
    'short',
    'a'.repeat(129),
    'has space',
    '<script>alert(1)</script>',
    'naïve-request',
    '{"a":"bcdefg"}',
  ])('%j is replaced', async (id) => {
    const response = await service.as({ 'x-request-id': id }).get('/api/contacts');
    expect(response.headers['x-request-id']).toMatch(UUID);
    expect(response.body.error.request_id).toBe(response.headers['x-request-id']);
  });

  test('is of our own making otherwise, on success, too, and never the same twice', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => (await service.api.get('/api/contacts')).headers['x-request-id']),
    );
    for (const id of ids) expect(id).toMatch(UUID);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe('a URL', () => {
  test.each([
    ['/', 404, 'not_found'],
    ['/nope', 404, 'not_found'],
    ['/api', 404, 'not_found'],
    ['/api/contacts/', 404, 'not_found'],
    ['/API/contacts', 404, 'not_found'],
    ['//api/contacts', 404, 'not_found'],
    ['/api/contacts/ct_a1b2c3d4/notes', 404, 'not_found'],
    ['/docs/nope.js', 404, 'not_found'],
    ['/api/contacts/ct_nobody', 404, 'not_found'],
    ['/api/contacts/co_a1b2c3d4', 404, 'not_found'],
    ['/api/contacts/__proto__', 404, 'not_found'],
    ['/api/contacts/%F0%9F%99%82', 404, 'not_found'],
    ['/api/contacts/%FF', 400, 'malformed_url'],
    ['/api/contacts/%ED%A0%80', 400, 'malformed_url'],
    ['/api/contacts/%zz', 400, 'malformed_url'],
    ['/%', 400, 'malformed_url'],
    ['/api/contacts/ct_%00', 400, 'malformed_url'],
    ['/api/companies/co_%00', 400, 'malformed_url'],
    ['/api/contacts?search=%FF', 400, 'malformed_url'],
    ['/api/contacts?search=%ED%A0%80', 400, 'malformed_url'],
    ['/api/contacts?search=%', 400, 'malformed_url'],
    ['/api/contacts?%zz', 400, 'malformed_url'],
    ['/health/live?%zz', 400, 'malformed_url'],
    ['/api/contacts?search=a%00b', 400, 'invalid_request'],
    ['/api/contacts?a%00b=1', 400, 'invalid_request'],
    ['/api/contacts?__proto__=1', 400, 'invalid_request'],
    ['/api/contacts?constructor=1&hasOwnProperty=2', 400, 'invalid_request'],
    ['/api/contacts?__proto__[page]=1', 400, 'invalid_request'],
    ['/api/contacts?=1', 400, 'invalid_request'],
    ['/api/contacts?page', 400, 'invalid_request'],
    [`/api/contacts/${'a'.repeat(201)}`, 414, 'url_too_long'],
  ])('%s is %d %s', async (path, status, code) => {
    const response = await service.api.get(path);
    expect([response.status, response.body.error?.code]).toEqual([status, code]);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.headers['x-request-id']).toBe(response.body.error.request_id);
  });

  test('names every unknown parameter, prototype keys included', async () => {
    const { body } = await service.api.get('/api/contacts?__proto__=1&serach=2&toString=3');
    const names = body.error.details.map(({ field }: { field: string }) => field);
    expect(names).toEqual(['__proto__', 'serach', 'toString']);
    expect(body.error.details[1].message).toContain('did you mean "search"?');
  });
});

describe('a body', () => {
  const json = { 'content-type': 'application/json' };
  const contact = '{"email":"edge@acme.com"}';
  test.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['empty', '', json, 400, 'invalid_json'],
    ['broken', '{"email":', json, 400, 'invalid_json'],
    ['two values', '{}{}', json, 400, 'invalid_json'],
    ['a trailing comma', '{"email":"a@b.com",}', json, 400, 'invalid_json'],
    ['JavaScript', "{email:'a@b.com'}", json, 400, 'invalid_json'],
    ['malformed UTF-8', Buffer.from('{"first_name":"\xff"}', 'latin1'), json, 400, 'invalid_json'],
    ['UTF-16', Buffer.from(contact, 'utf16le'), json, 400, 'invalid_json'],
    ['__proto__', '{"__proto__":{"portal_access":1},"email":"a@b.com"}', json, 400, 'invalid_json'],
    [
      'constructor.prototype',
      '{"constructor":{"prototype":{}},"email":"a@b.com"}',
      json,
      400,
      'invalid_json',
    ],
    ['NUL in a value', '{"first_name":"a\\u0000b","email":"a@b.com"}', json, 400, 'invalid_request'],
    ['NUL in a name', '{"a\\u0000b":1,"email":"a@b.com"}', json, 400, 'invalid_request'],
    ['a lone surrogate', '{"first_name":"\\ud800","email":"a@b.com"}', json, 400, 'invalid_request'],
    ['a number beyond a double', '{"email":"a@b.com","portal_access":1e999}', json, 400, 'invalid_request'],
    [
      'a thousand levels',
      `{"email":"a@b.com","x":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
      json,
      400,
      'invalid_request',
    ],
    ['a list', '[]', json, 400, 'invalid_request'],
    ['null', 'null', json, 400, 'invalid_request'],
    ['text', '"email"', json, 400, 'invalid_request'],
    ['over 1 MiB', `{"notes":"${'x'.repeat(MIB)}"}`, json, 413, 'body_too_large'],
    ['plain text', contact, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    [
      'a form',
      'email=a@b.com',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
    ],
    ['no type at all', contact, { 'content-type': '' }, 415, 'unsupported_media_type'],
    ['a type that is none', contact, { 'content-type': 'json' }, 415, 'unsupported_media_type'],
    ['a type like JSON', contact, { 'content-type': 'application/jsonx' }, 415, 'unsupported_media_type'],
    [
      'another charset',
      contact,
      { 'content-type': 'application/json; charset=iso-8859-1' },
      415,
      'unsupported_media_type',
    ],
    ['gzip', gzipSync(contact), { ...json, 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['a coding it has not', contact, { ...json, 'content-encoding': 'br' }, 415, 'unsupported_media_type'],
  ])('of %s is refused and nothing is written', async (_case, body, headers, status, code) => {
    const response = await post(body, headers);
    expect([response.status, response.body.error?.code]).toEqual([status, code]);
    expect(response.body.error.message).not.toBe('');
    expect(await countRows(service, 'contact')).toBe(0);
  });

  test('that is refused for a name of a megabyte is not sent back', async () => {
    const response = await post(`{"${'n'.repeat(MIB - 20)}":"\\u0000"}`, json);
    expect(response.body.error).toMatchObject({ code: 'invalid_request', field: 'n'.repeat(100) });
    expect(JSON.stringify(response.body).length).toBeLessThan(1_000);
  });

  test.each([
    ['application/json; charset=UTF-8'],
    ['application/json;charset="utf-8"'],
    ['Application/JSON'],
  ])('of type %s is read', async (type) => {
    const response = await post('{}', { 'content-type': type });
    expect(response.body.error.code).toBe('email_or_company_required');
  });

  test('of just 1 MiB is read', async () => {
    const body = `{"notes":"${'x'.repeat(MIB - 12)}"}`;
    expect(Buffer.byteLength(body)).toBe(MIB);
    expect((await post(body, json)).body.error.code).toBe('invalid_request');
  });

  /** Sends the bytes themselves, which a test client would turn into JSON. */
  async function post(body: string | Buffer, headers: Record<string, string>) {
    const { api } = service;
    if (typeof body === 'string') return api.post('/api/contacts', body, { headers });
    const key = await api.post('/api/keys', { name: 'bytes', scopes: ['contacts:write'] });
    const response = await fetch(`${service.url}/api/contacts`, {
      method: 'POST',
      headers: { ...headers, 'x-sm-key': key.body.data.key },
      body: new Uint8Array(body),
    });
    return { status: response.status, body: await response.json() };
  }
});

describe('a failure of our own', () => {
  const secrets = 'relation "contact" at /srv/app/db.ts password=hunter2';
  test.each([
    ['an Error', new Error(secrets)],
    ['an Error that calls itself a 400', Object.assign(new Error(secrets), { statusCode: 400, status: 400 })],
    [
      'a database error',
      Object.assign(new Error(secrets), { driverError: { code: '42P01', message: secrets } }),
    ],
    ['text', secrets],
    ['null', null],
    ['undefined', undefined],
  ])('that throws %s is a 500 without internals', async (_case, thrown) => {
    jest.spyOn(service.app.get(ContactListsRepository), 'list').mockRejectedValue(thrown);
    const response = await service.api.get('/api/contacts');
    expect(response.status).toBe(500);
    expect(response.body.error).toEqual({
      code: 'internal_error',
      message: 'Something went wrong on our side.',
      request_id: response.headers['x-request-id'],
    });
  });

  test.each(['57P01', '53300', '08006', 'ECONNREFUSED'])(
    'of the database, %s, is a 503 to be retried',
    async (code) => {
      const error = Object.assign(new Error(secrets), {
        driverError: Object.assign(new Error(secrets), { code }),
      });
      jest.spyOn(service.app.get(ContactListsRepository), 'list').mockRejectedValue(error);
      const response = await service.api.get('/api/contacts');
      expect([response.status, response.body.error.code]).toEqual([503, 'unavailable']);
      expect(response.headers['retry-after']).toBe('1');
      expect(response.text).not.toContain('hunter2');
    },
  );
});

test('after all of it the server serves', async () => {
  expect((await service.api.get('/api/contacts')).status).toBe(200);
});
