// Contacts and companies as tests need them: valid with no arguments, and each unlike the others.
import type { Response } from 'supertest';
import type { ContactDetail } from '../../src/contacts/contact.dto.js';
import type { Client, TestService } from './service.js';

let made = 0;

/** Creates a contact over HTTP and answers its id; it has an e-mail of its own unless told otherwise. */
export async function createContact(client: Client, fields: object = {}): Promise<string> {
  made += 1;
  const defaults = 'company_id' in fields ? {} : { email: `person${made}@example.org` };
  return idOf(await client.post('/api/contacts', { ...defaults, ...fields }));
}

/** Creates a company over HTTP and answers its id. */
export async function createCompany(client: Client, fields: object = {}): Promise<string> {
  made += 1;
  return idOf(await client.post('/api/companies', { name: `Company ${made}`, ...fields }));
}

/** The whole contact. */
export async function readContact(client: Client, id: string): Promise<ContactDetail> {
  const response = await client.get(`/api/contacts/${id}`);
  if (response.status !== 200) throw new Error(`GET ${id} answered ${response.text}`);
  return response.body.data as ContactDetail;
}

/** The ids of a contact list, in its order. */
export async function listIds(client: Client, query = ''): Promise<string[]> {
  const response = await client.get(`/api/contacts${query}`);
  if (response.status !== 200) throw new Error(`GET ${query} answered ${response.text}`);
  return (response.body.data.items as { id: string }[]).map(({ id }) => id);
}

/** Puts rows into a table as an import would: with ids and times of its own. Every row has the same columns. */
export async function insertRows(
  service: TestService,
  table: 'contact' | 'company',
  rows: object[],
): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).join(', ');
  await service.sql(
    `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1)`,
    [JSON.stringify(rows)],
  );
}

/** How many rows a table has. */
export async function countRows(service: TestService, table: 'contact' | 'company'): Promise<number> {
  const [row] = await service.sql<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return row?.count ?? 0;
}

function idOf(response: Response): string {
  if (response.status !== 201) throw new Error(`The create answered ${response.text}`);
  return response.body.data.id as string;
}
