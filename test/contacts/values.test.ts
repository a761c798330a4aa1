// The edges of what each kind of field accepts.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createContact, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let id: string;
beforeAll(async () => {
  service = await TestService.start();
  id = await createContact(service.api);
});
afterAll(() => service.stop());

const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) });
/** An object of exactly this many bytes of JSON. */
const objectOf = (bytes: number): object => ({ a: 'x'.repeat(bytes - 8) });

test.each<[string, unknown, unknown?]>([
  ['first_name', 'x'.repeat(200)],
  ['first_name', '😀'.repeat(200)],
  ['first_name', 'مرحبا'],
  ['notes', 'tabs\tand\r\nlines'],
  ['notes', 'n'.repeat(20_000)],
  // As long as can be: many such tags, and one that takes most of an index entry and cannot be compressed.
  ['tags', Array.from({ length: 9 }, (_, place) => `${place}`.repeat(200)).join(',')],
  ['tags', String.fromCodePoint(...Array.from({ length: 200 }, (_, place) => 0x20000 + place * 37))],
  ['engagement_score', 0],
  ['engagement_score', 0.1],
  ['engagement_score', 1e15],
  ['engagement_score', 5e-324],
  ['engagement_score', null],
  ['last_engagement_at', '2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ['last_engagement_at', '2026-01-31T12:00:00.1239+05:30', '2026-01-31T06:30:00.123Z'],
  ['last_engagement_at', '2026-01-31T12:00-23:59', '2026-02-01T11:59:00.000Z'],
  ['last_engagement_at', '0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['last_engagement_at', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ['last_engagement_at', null],
  ['enrichment_data', {}],
  ['enrichment_data', { '': [null, true, 1e308, 5e-324, -1.5, '€', { nested: [] }] }],
  ['enrichment_data', { toString: 'x', then: 1, constructor: 'y', length: 0 }],
  ['enrichment_data', objectOf(64 * 1024)],
  ['enrichment_data', nested(63)],
  ['enrichment_data', { list: Array.from({ length: 150 }, () => 1e308) }],
  ['enrichment_data', null],
  ['linkedin_url', ' https://www.linkedin.com/in/jane?a=1#b ', 'https://www.linkedin.com/in/jane?a=1#b'],
  ['photo_url', 'http://localhost:9000/a.png'],
  ['linkedin_url', null],
  ['product', 'a-b_1'],
])('%s takes %j', async (field, value, kept = value) => {
  const response = await service.api.patch(`/api/contacts/${id}`, { [field]: value });
  expect(response.body).toEqual({ ok: true, data: { id, updated: true } });
  expect(await readContact(service.api, id)).toHaveProperty(field, kept);
});

test.each<[string, unknown, string]>([
  ['first_name', 'x'.repeat(201), 'too_long'],
  ['first_name', 'a\nb', 'bad_format'],
  ['first_name', 'a\u007fb', 'bad_format'],
  ['first_name', 5, 'wrong_type'],
  ['first_name', ['Jane'], 'wrong_type'],
  ['full_name', 'x'.repeat(401), 'too_long'],
  ['phone', '1'.repeat(51), 'too_long'],
  ['notes', 'n'.repeat(20_001), 'too_long'],
  ['notes', 'bell\u0007', 'bad_format'],
  ['tags', Array.from({ length: 11 }, (_, place) => `${place} `.repeat(90)).join(','), 'too_long'],
  ['tags', `a, ${'t'.repeat(201)} ,b`, 'too_long'],
  ['tags', ['vip'], 'wrong_type'],
  ['contact_type', 'End User', 'bad_format'],
  ['contact_type', '', 'bad_format'],
  ['contact_type', 'x'.repeat(65), 'bad_format'],
  ['source', '', 'not_nullable'],
  ['engagement_score', -1, 'out_of_range'],
  ['engagement_score', 1e16, 'out_of_range'],
  ['engagement_score', '5', 'wrong_type'],
  ['engagement_score', true, 'wrong_type'],
  ['last_engagement_at', '2026-01-31', 'bad_format'],
  ['last_engagement_at', '2026-01-31T12:00:00', 'bad_format'],
  ['last_engagement_at', '2026-02-30T12:00:00Z', 'bad_format'],
  ['last_engagement_at', '2026-01-31T25:00:00Z', 'bad_format'],
  ['last_engagement_at', '2026-01-31T12:00:00+24:00', 'bad_format'],
  ['last_engagement_at', '10000-01-01T00:00:00Z', 'bad_format'],
  ['last_engagement_at', '9999-12-31T23:59:59-01:00', 'bad_format'],
  ['last_engagement_at', 1_769_860_800, 'wrong_type'],
  ['enrichment_data', objectOf(64 * 1024 + 1), 'too_long'],
  ['enrichment_data', [], 'wrong_type'],
  // PostgreSQL writes numbers out, and so are they answered.
  ['enrichment_data', { list: Array.from({ length: 250 }, () => 5e-324) }, 'too_long'],
  ['enrichment_data', { list: Array.from({ length: 250 }, () => -1e308) }, 'too_long'],
  ['enrichment_data', '{}', 'wrong_type'],
  ['enrichment_data', 1, 'wrong_type'],
  ['linkedin_url', 'linkedin.com/in/jane', 'bad_format'],
  ['linkedin_url', 'javascript:alert(1)', 'bad_format'],
  ['linkedin_url', 'javascript://acme.com/%0aalert(1)', 'bad_format'],
  ['linkedin_url', 'ftp://acme.com/a', 'bad_format'],
  ['linkedin_url', 'https://', 'bad_format'],
  ['linkedin_url', 'https://acme.com/a b', 'bad_format'],
  ['linkedin_url', 'https://acme.com/a\u0007', 'bad_format'],
  ['linkedin_url', 'https://acme.com/"><script>', 'bad_format'],
  ['linkedin_url', `https://acme.com/${'x'.repeat(2000)}`, 'too_long'],
  ['photo_url', 'data:image/png;base64,AAAA', 'bad_format'],
  ['company_id', 'ct_a1b2c3d4', 'bad_format'],
  ['company_id', 'acme', 'bad_format'],
  ['company_id', 7, 'wrong_type'],
])('%s refuses %j as %s', async (field, value, code) => {
  const before = await readContact(service.api, id);
  const response = await service.api.patch(`/api/contacts/${id}`, { [field]: value });
  expect(response.status).toBe(400);
  expect(response.body.error.details).toEqual([{ field, code, message: expect.stringContaining(field) }]);
  expect(await readContact(service.api, id)).toEqual(before);
});

// What is acknowledged would not be what was sent.
test.each(['10150146071791729223', '-9007199254740992', '99999999999999999999'])(
  'the integer %s is refused, and said where',
  async (digits) => {
    const response = await service.api.patch(
      `/api/contacts/${id}`,
      `{"enrichment_data":{"ids":[7,${digits}]}}`,
    );
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual([
      {
        field: 'enrichment_data.ids.1',
        code: 'out_of_range',
        message:
          'enrichment_data.ids.1 is an integer beyond ±9007199254740991, where not every one can be kept; send it as text.',
      },
    ]);
  },
);

test('nesting deeper than 64 levels is refused', async () => {
  const response = await service.api.patch(`/api/contacts/${id}`, { enrichment_data: nested(64) });
  expect(response.status).toBe(400);
  expect(response.body.error.details[0].code).toBe('too_deep');
});
