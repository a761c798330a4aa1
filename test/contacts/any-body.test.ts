// Any body at all: never a failure of ours, never a field that is ignored.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalEmail } from '../../src/common/email.js';
import { createContact, insertRows, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let id: string;
beforeAll(async () => {
  service = await TestService.start();
  await insertRows(service, 'company', [{ id: 'co_e5f6g7', name: 'Acme Corp', company_type: 'client' }]);
  id = await createContact(service.api);
});
afterAll(() => service.stop());

const RUNS = { numRuns: 200 };

/** Any text at all, NUL and halves of surrogate pairs included. */
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary-ascii' }),
);
const anyJson = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });
const letters = fc.string({ unit: fc.constantFrom(...'abcXYZ019'), minLength: 1, maxLength: 12 });
const line = fc.string({ unit: 'grapheme', maxLength: 60 });
const slug = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,10}$/);
const moment = fc
  .date({ min: new Date('0100-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
const url = fc.webUrl({ withQueryParameters: true, withFragments: true });
const score = fc.double({ min: 0, max: 1e15, noNaN: true });

const CREATE_FIELDS: Record<string, fc.Arbitrary<unknown>> = {
  email: fc.tuple(letters, letters).map(([local, domain]) => ` ${local}@${domain}.Example `),
  company_id: fc.constantFrom('co_e5f6g7', 'co_e5f6g7', 'co_nothere'),
  ...Object.fromEntries(
    ['first_name', 'last_name', 'full_name', 'title', 'role', 'department'].map((name) => [name, line]),
  ),
  phone: fc.string({ maxLength: 50 }),
  contact_type: slug,
  source: letters,
  pipeline_stage: line,
  funnel_stage: line,
  product: slug,
  linkedin_url: url,
  tags: fc.array(line, { maxLength: 4 }).map((words) => words.join(', ')),
  notes: fc.string({ unit: 'grapheme', maxLength: 300 }),
  portal_access: fc.constantFrom(0, 1),
  portal_role: fc.constantFrom('client_admin', 'client_viewer'),
};
const PATCH_FIELDS: Record<string, fc.Arbitrary<unknown>> = {
  ...CREATE_FIELDS,
  engagement_score: score,
  last_engagement_at: moment,
  enrichment_status: line,
  enrichment_data: fc.dictionary(letters, fc.jsonValue({ maxDepth: 3 })),
  photo_url: url,
  close_lead_id: letters,
  close_contact_id: letters,
};

/** Mostly sensible bodies; now and then a null, a wild value or an unknown field. */
function bodyOf(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const values = Object.entries(fields).map(([name, sensible]) => {
    const value = fc.oneof(
      { arbitrary: sensible, weight: 95 },
      { arbitrary: fc.constant(null), weight: 4 },
      { arbitrary: anyJson, weight: 1 },
    );
    return [name, value] as const;
  });
  const known = fc.record(Object.fromEntries(values));
  const some = fc
    .tuple(known, fc.subarray(Object.keys(fields)))
    .map(([body, names]) => Object.fromEntries(names.map((name) => [name, body[name]])));
  return fc.oneof({ arbitrary: some, weight: 9 }, { arbitrary: fc.dictionary(anyText, anyJson), weight: 1 });
}

/** What the contract says becomes of a value that is accepted. */
function stored(field: string, value: unknown, body: Record<string, unknown>): unknown {
  if (field === 'portal_role' && value === null) return body.portal_access === 1 ? 'client_viewer' : null;
  if (field === 'email') return value === null ? null : canonicalEmail(value as string);
  if (field === 'tags' && typeof value === 'string') {
    const words = value
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
    return [...new Set(words)].join(',') || null;
  }
  if (typeof value === 'string') return value.trim() || null;
  return JSON.parse(JSON.stringify(value));
}

async function expectKept(contactId: string, body: Record<string, unknown>): Promise<void> {
  const contact: object = await readContact(service.api, contactId);
  for (const [field, value] of Object.entries(body)) {
    if (value === undefined || (field === 'full_name' && !stored(field, value, body))) continue;
    expect({ field, kept: contact[field as never] }).toEqual({ field, kept: stored(field, value, body) });
  }
}

const accepted = { post: 0, patch: 0 };

test('any body posted is either refused for a reason or kept whole', async () => {
  await fc.assert(
    fc.asyncProperty(bodyOf(CREATE_FIELDS), async (body) => {
      await service.sql('DELETE FROM contact WHERE id <> $1', [id]);
      const response = await service.api.post('/api/contacts', body);
      expect([201, 400, 422]).toContain(response.status);
      if (response.status !== 201) return;
      accepted.post += 1;
      await expectKept(response.body.data.id, body);
    }),
    RUNS,
  );
  expect(accepted.post).toBeGreaterThan(5);
});

test('any body patched is either refused for a reason or kept whole', async () => {
  await fc.assert(
    fc.asyncProperty(bodyOf(PATCH_FIELDS), async (body) => {
      const reset = { portal_access: 0, portal_role: null, email: 'reset@acme.com' };
      expect((await service.api.patch(`/api/contacts/${id}`, reset)).status).toBe(200);
      const response = await service.api.patch(`/api/contacts/${id}`, body);
      expect([200, 400, 422]).toContain(response.status);
      if (response.status !== 200) return;
      accepted.patch += 1;
      await expectKept(id, body);
    }),
    RUNS,
  );
  expect(accepted.patch).toBeGreaterThan(5);
});

test.each(['/api/contacts', '/api/companies'])(
  'any JSON posted to %s gets an answer that is documented',
  async (path) => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          anyJson.map((value) => JSON.stringify(value)),
          anyText,
        ),
        async (body) => {
          expect([400]).toContain((await service.api.post(path, body)).status);
        },
      ),
      RUNS,
    );
  },
);
