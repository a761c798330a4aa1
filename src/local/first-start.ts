// A first look at the service: sample contacts and a key, on the first start of an embedded database.
import type { INestApplicationContext } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ApiKeysService } from '../auth/api-keys.service.js';
import { OPERATOR, SCOPES } from '../auth/caller.js';
import { transaction } from '../common/transaction.js';
import { CompaniesService } from '../companies/companies.service.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { sampleCompanies } from './sample-data.js';

/**
 * Fills an empty database through the services' own path and answers the text of a new key, or null if not empty. All of
 * it or nothing: a start that is broken off leaves the next one to be the first.
 */
export async function prepareFirstStart(app: INestApplicationContext): Promise<string | null> {
  const [used] = await app
    .get(DataSource)
    .query<unknown[]>(
      'SELECT 1 FROM api_key UNION ALL SELECT 1 FROM contact UNION ALL SELECT 1 FROM company LIMIT 1',
    );
  if (used) return null;
  const companies = app.get(CompaniesService);
  const contacts = app.get(ContactsService);
  return transaction(app.get(DataSource), async (db) => {
    const inOrder: string[] = [];
    for (const { contacts: people, ...company } of sampleCompanies()) {
      const { id } = await companies.create(OPERATOR, company, db);
      for (const person of people)
        inOrder.push((await contacts.create(OPERATOR, { ...person, company_id: id }, db)).id);
    }
    // A transaction has one time for all; they are to be listed as they came.
    await db.query(
      `UPDATE contact c SET created_at = now() - make_interval(secs => cardinality($1::text[]) - n), updated_at = now()
       FROM unnest($1::text[]) WITH ORDINALITY AS place (id, n) WHERE c.id = place.id`,
      [inOrder],
    );
    const everything = { name: 'first start', scopes: [...SCOPES] };
    return (await app.get(ApiKeysService).create(OPERATOR, everything, db)).key;
  });
}

/** E-mail address of a contact to try the portal demo with; null if nobody may sign in. */
export async function findSampleVisitor(app: INestApplicationContext): Promise<string | null> {
  const [contact] = await app.get(DataSource).query<{ email: string }[]>(
    `SELECT email FROM contact WHERE portal_access = 1 AND portal_role = 'client_admin'
       ORDER BY created_at, id LIMIT 1`,
  );
  return contact?.email ?? null;
}
