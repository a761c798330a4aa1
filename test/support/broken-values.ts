// Errors of PostgreSQL that quote what was written: of constraints, of conversions, of statements that take too long.
import { PLANTED, plantedContact } from './planted.js';
import type { Session } from './session.js';

/** A rule that no service knows, and a conversion that fails. */
const UNFORESEEN = [
  `ALTER TABLE contact ADD CONSTRAINT some_ck CHECK (title <> 'Planted Refusal')`,
  'CREATE UNIQUE INDEX some_uq ON company (name)',
  `CREATE FUNCTION convert_domain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     IF NEW.domain LIKE 'planted-%' THEN NEW.health_score := NEW.domain::int; END IF;
     RETURN NEW;
   END $$`,
  'CREATE TRIGGER conversion BEFORE INSERT ON company FOR EACH ROW EXECUTE FUNCTION convert_domain()',
];

/** Makes the database of `session` refuse what `post` sends; answers when all of it was answered. */
export async function breakDatabase(
  { client }: Session,
  post: (path: string, body: object) => Promise<unknown>,
): Promise<void> {
  for (const statement of UNFORESEEN) await client.query(statement);
  const contact = { ...plantedContact, email: `second-${PLANTED.email}` };
  await post('/api/contacts', { ...contact, title: 'Planted Refusal' });
  await post('/api/contacts', plantedContact);
  await post('/api/companies', { name: 'Plantova Ltd' });
  await post('/api/companies', { name: 'Plantova Brothers', domain: 'planted-number' });
  await client.query('BEGIN; LOCK TABLE contact, company IN ACCESS EXCLUSIVE MODE');
  await post('/api/contacts', contact);
  await post('/api/companies', { name: 'Zdenka and Sons' });
  await client.query('ROLLBACK');
}
