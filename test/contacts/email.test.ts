// E-mail addresses: one canonical form, unique among contacts.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createContact, listIds, readContact } from '../support/factories.js';
import { TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
});
afterAll(() => service.stop());

const create = (email: unknown) => service.api.post('/api/contacts', { email });

test.each([
  ['Jane.Smith@ACME.com', 'jane.smith@acme.com'],
  ['  trimmed@acme.com\r\n', 'trimmed@acme.com'],
  ['\u00a0nbsp@acme.com\ufeff', 'nbsp@acme.com'],
  ['jane@Müller.example', 'jane@xn--mller-kva.example'],
  ['jane@mu\u0308ller.example', 'jane@xn--mller-kva.example'],
  ['wide@ａｃｍｅ.com', 'wide@acme.com'],
  ['dot@acme。com', 'dot@acme.com'],
  ['jane@straße.example', 'jane@xn--strae-oqa.example'],
  ['jane@пример.рф', 'jane@xn--e1afmkfd.xn--p1ai'],
  ["o'neil+tag/x=1@sub.acme.co.uk", "o'neil+tag/x=1@sub.acme.co.uk"],
  [`${'l'.repeat(64)}@acme.com`, `${'l'.repeat(64)}@acme.com`],
])('%j is kept as %s and found by either', async (sent, kept) => {
  await service.sql('TRUNCATE contact CASCADE');
  const response = await create(sent);
  expect(response.status).toBe(201);
  const { id, email } = response.body.data as { id: string; email: string };
  expect(email).toBe(kept);
  expect(await listIds(service.api, `?email=${encodeURIComponent(sent)}`)).toEqual([id]);
  expect(await listIds(service.api, `?email=${encodeURIComponent(kept)}`)).toEqual([id]);
});

test.each([
  ['no at sign', 'jane'],
  ['a domain of half a million marks', `jane@a${'\u0301'.repeat(250_000)}${'\u0316'.repeat(250_000)}.com`],
  ['a domain of half a million labels', `jane@${'x.'.repeat(500_000)}com`],
  ['nothing', ''],
  ['blanks', '   '],
  ['no local part', '@acme.com'],
  ['no domain', 'jane@'],
  ['no top-level domain', 'jane@acme'],
  ['a non-ASCII local part', 'jäne@acme.com'],
  ['a Cyrillic look-alike in the local part', 'j\u0430ne@acme.com'],
  ['a Kelvin sign in the local part', '\u212aate@acme.com'],
  ['a full-width local part', 'ｊane@acme.com'],
  ['a zero-width space', 'jane\u200b@acme.com'],
  ['a zero-width space in the domain', 'jane@ac\u200bme.com'],
  ['two addresses', 'jane@acme.com,joe@acme.com'],
  ['two addresses by semicolon', 'jane@acme.com;joe@acme.com'],
  ['a comma in the local part', 'jane,joe@acme.com'],
  ['a name around it', 'Jane <jane@acme.com>'],
  ['a header smuggled in', 'jane@acme.com\r\nBcc: all@acme.com'],
  ['a line break in the local part', 'jane\n@acme.com'],
  ['a quoted local part', '"jane smith"@acme.com'],
  ['a quoted local part with an at sign', '"jane@x"@acme.com'],
  ['a quoted local part with a comma', '"jane,joe"@acme.com'],
  ['a quoted local part without need', '"jane"@acme.com'],
  ['two at signs', 'jane@joe@acme.com'],
  ['a space', 'jane smith@acme.com'],
  ['two dots', 'jane..smith@acme.com'],
  ['a leading dot', '.jane@acme.com'],
  ['an address literal', 'jane@[127.0.0.1]'],
  ['an address', 'jane@127.0.0.1'],
  ['an underscore in the domain', 'jane@ac_me.com'],
  ['a percent sign in the domain', 'jane@ac%6de.com'],
  ['broken punycode', 'jane@xn--zz--.com'],
  ['a local part of 65 characters', `${'l'.repeat(65)}@acme.com`],
  [
    'more than 254 characters',
    `jane@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.example.com`,
  ],
  ['255 characters', `${'l'.repeat(64)}@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.dddd.co`],
  ['a number', 7],
  ['a list', ['jane@acme.com']],
  ['an object', { address: 'jane@acme.com' }],
])('%s is no e-mail address', async (_what, email) => {
  const response = await create(email);
  expect(response.status).toBe(400);
  expect(response.body.error).toMatchObject({ code: 'invalid_request', field: 'email' });
});

describe('a second contact with the same e-mail', () => {
  test.each(['taken@acme.com', ' TAKEN@Acme.com '])('%j is refused and told who has it', async (email) => {
    await service.sql('TRUNCATE contact CASCADE');
    const existing = await createContact(service.api, { email: 'Taken@acme.com' });
    const response = await create(email);
    expect(response.status).toBe(409);
    expect(response.body.error).toMatchObject({
      code: 'email_taken',
      field: 'email',
      details: [{ field: 'email', existing_id: existing }],
    });
  });

  test('is refused in a patch as well, and the contact stays as it was', async () => {
    await service.sql('TRUNCATE contact CASCADE');
    const existing = await createContact(service.api, { email: 'first@acme.com' });
    const other = await createContact(service.api, { email: 'second@acme.com', title: 'before' });
    const response = await service.api.patch(`/api/contacts/${other}`, {
      email: 'FIRST@acme.com',
      title: 'after',
    });
    expect(response.status).toBe(409);
    expect(response.body.error.details).toEqual([{ field: 'email', existing_id: existing }]);
    expect(await readContact(service.api, other)).toMatchObject({
      email: 'second@acme.com',
      title: 'before',
    });
  });

  test('is welcome once the first has given it up', async () => {
    const first = await createContact(service.api, { email: 'given-up@acme.com' });
    await service.api.patch(`/api/contacts/${first}`, { email: 'new@acme.com' });
    expect((await create('given-up@acme.com')).status).toBe(201);
  });

  test('may patch a contact with its own e-mail', async () => {
    const id = await createContact(service.api, { email: 'own@acme.com' });
    expect((await service.api.patch(`/api/contacts/${id}`, { email: 'OWN@acme.com' })).status).toBe(200);
  });
});
