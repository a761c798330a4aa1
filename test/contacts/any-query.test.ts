// Any query string at all: never a failure of ours, never a parameter that is ignored.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let id: string;
beforeAll(async () => {
  service = await TestService.start();
  id = await createContact(service.api);
});
afterAll(() => service.stop());

const RUNS = { numRuns: 200 };
const TIMEOUT = 60_000;

/** Any text at all, NUL included. */
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary-ascii' }),
);
const line = fc.string({ unit: 'grapheme', maxLength: 60 });

describe('any query string', () => {
  const names = [
    'company_id',
    'type',
    'source',
    'search',
    'page',
    'limit',
    'product',
    'tag',
    'email',
    'portal_access',
    'portal_role',
    'pipeline_stage',
    'funnel_stage',
    'created_after',
    'created_before',
    'updated_after',
    'updated_before',
    'sort',
    'fields',
    'cursor',
    'total',
  ];
  const likely = fc.constantFrom(
    '1',
    '0',
    '100',
    'client',
    'client_admin',
    'co_e5f6g7',
    'jane@acme.com',
    '-email',
    'full_name',
    'id,email',
    '2026-01-01T00:00:00Z',
    '',
  );
  const wellFormed = anyText.filter((text) => text.isWellFormed());
  const parameter = fc.tuple(
    fc.oneof({ arbitrary: fc.constantFrom(...names), weight: 9 }, wellFormed),
    fc.oneof({ arbitrary: likely, weight: 3 }, wellFormed),
  );
  const sensible = fc
    .array(parameter, { maxLength: 5 })
    .map((pairs) => pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&'));
  const raw = fc.string({ unit: fc.constantFrom(...'%&=+;[]._abf019 '.trim()), maxLength: 40 });

  test.each(['/api/contacts', '/api/companies'])(
    'of %s is answered with a page or refused',
    async (path) => {
      await fc.assert(
        fc.asyncProperty(fc.oneof({ arbitrary: sensible, weight: 5 }, raw), async (query) => {
          const response = await service.api.get(`${path}?${query}`);
          expect([200, 400]).toContain(response.status);
          if (response.status === 200) answered += 1;
        }),
        RUNS,
      );
      expect(answered).toBeGreaterThan(5);
    },
    TIMEOUT,
  );

  test(
    'asks for nothing that it does not get',
    async () => {
      const columns = {
        type: 'contact_type',
        source: 'source',
        product: 'product',
        pipeline_stage: 'pipeline_stage',
      } as const;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...Object.keys(columns)),
          line.filter((text) => text.trim() !== ''),
          async (name, value) => {
            const all = (await service.api.get('/api/contacts')).body.data.total;
            const response = await service.api.get(
              `/api/contacts?${name}=${encodeURIComponent(value)}&fields=${columns[name as 'type']}`,
            );
            if (response.status === 400) return;
            expect(response.body.data.total).toBeLessThanOrEqual(all);
            for (const item of response.body.data.items) expect(item[columns[name as 'type']]).toBe(value);
          },
        ),
        { numRuns: 50 },
      );
    },
    TIMEOUT,
  );

  test(
    'that searches finds every contact whose name holds the text',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }),
          fc.nat(),
          fc.nat(),
          async (name, from, length) => {
            fc.pre(name.trim() !== '');
            await service.api.patch(`/api/contacts/${id}`, { full_name: name });
            const kept = name.trim();
            const start = from % kept.length;
            const part = kept.slice(start, start + 1 + (length % (kept.length - start)));
            const response = await service.api.get(`/api/contacts?search=${encodeURIComponent(part)}`);
            expect(response.body.data.items).toContainEqual(expect.objectContaining({ id }));
          },
        ),
        { numRuns: 100 },
      );
    },
    TIMEOUT,
  );
});
