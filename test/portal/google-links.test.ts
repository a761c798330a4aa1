// Which contact an account at the provider is linked to, and by what.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DataSource } from 'typeorm';
import { transaction } from '../../src/common/transaction.js';
import { GoogleIdentitiesRepository } from '../../src/portal/google-identities.repository.js';
import { vouchedEmail } from '../../src/portal/google-provider.js';
import { SsoService } from '../support/sso.js';

let sso: SsoService;
beforeAll(async () => {
  sso = await SsoService.start();
});
afterAll(() => sso.stop());

const GOOGLE = 'https://accounts.google.com';

test.each([
  ['of Gmail', { iss: GOOGLE, email: 'Jane@gmail.com' }, 'jane@gmail.com'],
  ['of Google Mail', { iss: GOOGLE, email: 'jane@googlemail.com' }, 'jane@googlemail.com'],
  ['of a domain that Google hosts', { iss: GOOGLE, email: 'jane@acme.com', hd: 'acme.com' }, 'jane@acme.com'],
  ['of a domain that Google does not host', { iss: GOOGLE, email: 'jane@acme.com' }, null],
  ['of a domain beside it', { iss: GOOGLE, email: 'jane@acme.org', hd: 'acme.com' }, 'jane@acme.org'],
  ['of a domain without a name', { iss: GOOGLE, email: 'jane@acme.com', hd: '' }, null],
  ['like one of Gmail', { iss: GOOGLE, email: 'jane@gmail.com.acme.com' }, null],
  ['of another provider', { iss: 'https://login.acme.com', email: 'jane@acme.com' }, 'jane@acme.com'],
  ['that is none', { iss: GOOGLE, email: 'jane' }, null],
  ['that is no text', { iss: GOOGLE, email: ['jane@gmail.com'] }, null],
  ['that is absent', { iss: GOOGLE }, null],
])('an address %s', (_what, claims, email) => {
  expect(vouchedEmail(claims)).toBe(email);
});

test('a subject is nobody’s at another issuer', async () => {
  const { contactId } = await sso.person();
  const other = await sso.person();
  const identities = sso.service.app.get(GoogleIdentitiesRepository);
  const source = sso.service.app.get(DataSource);
  const find = (issuer: string, email: unknown) =>
    transaction(source, (db) =>
      identities.findOrLink(db, { issuer, subject: 'the same', email: email as string }),
    );
  const [first] = await sso.service.sql<{ email: string }>('SELECT email FROM contact WHERE id = $1', [
    contactId,
  ]);
  expect(await find('https://one.test', first?.email)).toMatchObject({ contact_id: contactId });
  expect(await find('https://two.test', other.account.email)).toMatchObject({
    contact_id: other.contactId,
  });
  expect(await find('https://one.test', null)).toMatchObject({ contact_id: contactId });
});
