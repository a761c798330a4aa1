// A name sent again and again, by anybody and before any guard: it costs what sending it costs, and no more.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readQuery } from '../../src/common/json.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

test.each([
  [2, ['0', '1']],
  [4_000, ['0', '1']],
])('of a parameter given %i times two values are kept', (times, kept) => {
  const text = Array.from({ length: times }, (_, index) => `a=${index}`).join('&');
  expect(readQuery(text)).toEqual({ a: kept });
});

test('it is named once in the refusal', async () => {
  const { status, body } = await service.api.get(`/api/contacts?${'type=lead&'.repeat(700)}`);
  expect(status).toBe(400);
  expect(body.error.details).toMatchObject([{ field: 'type', code: 'repeated_parameter' }]);
});

test('of many names given twice a hundred are named', async () => {
  const text = Array.from({ length: 300 }, (_, index) => `n${index}&n${index}`).join('&');
  const { status, body } = await service.api.get(`/api/contacts?${text}`);
  expect(status).toBe(400);
  const repeated = body.error.details.filter(({ code }: { code: string }) => code === 'repeated_parameter');
  expect(repeated).toHaveLength(100);
});

test.each([
  [4_096, 400],
  [4_097, 413],
  [1024 * 1024, 413],
])('a form of %i bytes is answered with %i', async (length, status) => {
  const response = await fetch(`${service.url}/auth/magic-link/confirm`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: service.url },
    body: 'a&'.repeat(length).slice(0, length),
  });
  expect(response.status).toBe(status);
  await response.text();
});
