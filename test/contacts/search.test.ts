// Search over full_name and email.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createContact, listIds } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
let company: string;
beforeAll(async () => {
  service = await TestService.start();
  company = (await service.api.post('/api/companies', { name: 'Acme' })).body.data.id;
});
afterAll(() => service.stop());

const found = (term: string, more = ''): Promise<string[]> =>
  listIds(service.api, `?search=${encodeURIComponent(term)}${more}`);
const named = (full_name: string): Promise<string> =>
  createContact(service.api, { company_id: company, full_name });

describe.each([
  ['José Álvarez', ['jose', 'JOSÉ', 'josé', 'jose\u0301', 'alvarez', 'É Á', 'e a']],
  ['Jose\u0301 NFD', ['josé', 'jose\u0301', 'jose nfd']],
  ['Weiß', ['weiß', 'weiss', 'WEISS', 'WEIẞ']],
  ['Łukasz Żółć', ['lukasz', 'ŁUKASZ', 'zolc']],
  ['Søren Ærø', ['soren', 'SØREN', 'aero', 'ÆRØ']],
  ['Ёлкин Юрий', ['елкин', 'ЁЛКИН', 'ёлкин', 'юрий', 'ЮРИЙ', 'юрии\u0306']],
  ['İpek Işık', ['ipek', 'İPEK', 'isik']],
  ['Ｗｉｄｅ', ['wide', 'ＷＩＤＥ']],
  ['Οδυσσέας Ελύτης', ['ΟΔΥΣ', 'οδυς', 'οδυσ', 'ΟΔΥΣΣΈΑΣ ΕΛ', 'σς', 'ΗΣ', 'ελυτης', 'Σ', 'ς']],
  ['Δίας', ['ΔΙΑΣ', 'διασ', 'διας']],
  ['Α.Σ. Παπαδόπουλος', ['Σ. Παπαδόπουλος', 'α.σ. παπαδ', 'α.ς. παπαδ', 'ΠΑΠΑΔΌΠΟΥΛΟΣ', 'σ.', '.ς. π']],
  ['李小龍', ['李', '小龍']],
  ['王〇明', ['〇', '王〇', '〇明', '王0明', '王〇明']],
  ['a%b_c\\d', ['%', '_', '\\', '%b_', 'C\\D']],
])('%s', (full_name, terms) => {
  beforeAll(async () => {
    await service.sql('TRUNCATE contact CASCADE');
    await named('Nobody Else');
  });

  test.each(terms)('is found by %j, alone', async (term) => {
    await service.sql(`DELETE FROM contact WHERE full_name <> 'Nobody Else'`);
    const id = await named(full_name);
    expect(await found(term)).toEqual([id]);
  });
});

test.each(['j%n', 'j_ne', '\\jane', 'jane%', '_'])('%j is plain text and matches no Jane', async (term) => {
  await service.sql('TRUNCATE contact CASCADE');
  await named('Jane');
  expect(await found(term)).toEqual([]);
});

test.each(['e', 'st', 'ste', 'steve jobs', 'example.com', 've@ex', 'STEVE@EXAMPLE.COM'])(
  '%j finds by name or e-mail, however short',
  async (term) => {
    await service.sql('TRUNCATE contact CASCADE');
    const id = await createContact(service.api, { email: 'steve@example.com', full_name: 'Steve Jobs' });
    expect(await found(term)).toEqual([id]);
  },
);

test.each(['\u0301', '\u0301\u0308', '\u20dd'])(
  'an accent alone, %j, is nothing to look for',
  async (term) => {
    for (const path of ['contacts', 'companies']) {
      const { status, body } = await service.api.get(`/api/${path}?search=${encodeURIComponent(term)}`);
      expect([status, body.error.details]).toMatchObject([400, [{ field: 'search', code: 'out_of_range' }]]);
    }
  },
);

describe('where words meet', () => {
  const name = "Ann-Márie O'Neil  von Wagner, Jr. 2nd";
  beforeAll(async () => {
    await service.sql('TRUNCATE contact CASCADE');
    await named('Ann Marie Oneil Wagner');
  });

  test('a name is found by each of its parts', async () => {
    const id = await createContact(service.api, { full_name: name, email: 'am.o_neil+x@wag-ner.example' });
    for (const text of [name, 'am.o_neil+x@wag-ner.example']) {
      const parts = [...text].flatMap((_, from) =>
        [3, 5, 8, 13, 40].map((length) => text.substr(from, length)),
      );
      for (const part of new Set(parts)) {
        if (part.trim() === '') continue;
        expect({ part, found: await found(part) }).toEqual({ part, found: expect.arrayContaining([id]) });
      }
    }
  });

  test('no part of any document lacks a meeting that is looked for', async () => {
    const character = fc.constantFrom(..."abcß1é\u0301Ж李😀 .-_@'\\&|!:*(", '\n');
    await fc.assert(
      fc.asyncProperty(fc.array(character, { maxLength: 25 }), async (characters) => {
        const lacking = await service.sql(
          `SELECT term FROM (SELECT search_normalize($1) AS document) AS given,
             generate_series(1, char_length(document)) AS first, generate_series(1, char_length(document)) AS length,
             substr(document, first, length) AS term
           WHERE NOT search_meetings(document) @@ search_term_meetings(term)`,
          [characters.join('')],
        );
        expect(lacking).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test.each(["o'neil von", 'O-Neil', 'wagner jr.', 'neil.von', 'marie o neil', 'xanne márie', 'jr. 2nda'])(
    'nobody is found by %j',
    async (term) => {
      expect(await found(term)).toEqual([]);
    },
  );
});

test('a match does not reach from the name over into the e-mail', async () => {
  await service.sql('TRUNCATE contact CASCADE');
  await createContact(service.api, { email: 'smith@acme.com', full_name: 'Jane' });
  for (const term of ['janesmith', 'jane smith', 'jane s', 'es']) expect(await found(term)).toEqual([]);
});

test('a name is found the moment it is written, and no longer once it is changed', async () => {
  await service.sql('TRUNCATE contact CASCADE');
  const id = await createContact(service.api, { first_name: 'Before', last_name: 'Hand' });
  expect(await found('before hand')).toEqual([id]);
  await service.api.patch(`/api/contacts/${id}`, { first_name: 'After' });
  expect(await found('before')).toEqual([]);
  expect(await found('after hand')).toEqual([id]);
});

test('an exact e-mail comes first, however old, in every page and walk', async () => {
  await service.sql('TRUNCATE contact CASCADE');
  const exact = await createContact(service.api, { email: 'ann@acme.com' });
  const longer = await createContact(service.api, { email: 'joann@acme.com' });
  const mentioned = await createContact(service.api, { company_id: company, full_name: 'see ann@acme.com' });
  expect(await found('Ann@ACME.com')).toEqual([exact, mentioned, longer]);
  expect(await found('ann@acme.co')).toEqual([mentioned, longer, exact]);
  expect(await found('ann@acme.com', '&limit=1&page=1')).toEqual([exact]);
  expect(await found('ann@acme.com', '&limit=1&page=3')).toEqual([longer]);
  const first = await service.api.get('/api/contacts?search=ann@acme.com&limit=1&cursor=');
  const cursor = `&cursor=${first.body.data.next_cursor}`;
  expect(await found('ann@acme.com', cursor)).toEqual([mentioned, longer]);
  // The default order, spelt out.
  expect(await found('ann@acme.com', '&sort=-created_at')).toEqual([exact, mentioned, longer]);
  expect(await found('ann@acme.com', `&sort=-created_at${cursor}`)).toEqual([mentioned, longer]);
  expect(await found('ann@acme.com', '&sort=created_at')).toEqual([exact, longer, mentioned]);
});

test('an e-mail with an international domain is found as it is written', async () => {
  await service.sql('TRUNCATE contact CASCADE');
  const id = await createContact(service.api, { email: 'jane@müller.example' });
  expect(await found('jane@müller.example')).toEqual([id]);
  expect(await found('jane@xn--mller-kva.example')).toEqual([id]);
});

test('counts what it finds, together with the other filters', async () => {
  await service.sql('TRUNCATE contact CASCADE');
  for (const contact_type of ['lead', 'client', 'client'])
    await createContact(service.api, { full_name: 'Kim', contact_type });
  const response = await service.api.get('/api/contacts?search=kim&type=client&limit=1');
  expect(response.body.data).toMatchObject({ total: 2, hasMore: true });
});

test('takes 1 to 200 characters, however many bytes they are', async () => {
  expect(await found('x'.repeat(200))).toEqual([]);
  expect(await found('😀'.repeat(200))).toEqual([]);
  for (const term of ['', 'x'.repeat(201), 'x'.repeat(5_000), 'a\nb', 'a\u0000b']) {
    const response = await service.api.get(`/api/contacts?search=${encodeURIComponent(term)}`);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('invalid_request');
  }
});
