// Baseline: Fastify and pg, written by hand with care, and with count(*) and OFFSET as everybody writes them.
import Fastify from 'fastify';
import pg from 'pg';
import { DATABASE_URL, DETAIL_COLUMNS, POOL, PORT, newId, productsOf } from '../common.ts';
import { CREATE, DETAIL_ANSWER, LIST_ANSWER, LIST_QUERY, PATCH } from './schemas.ts';

interface ListQuery {
  page: number;
  limit: number;
  company_id?: string;
  type?: string;
  source?: string;
  search?: string;
}

const ITEM = `c.id, c.email, c.full_name, c.company_id, co.name AS company_name, c.contact_type, c.portal_access,
  c.portal_role`;
const DETAIL = `${DETAIL_COLUMNS.map((column) => `c.${column}`).join(', ')}, co.name AS company_name`;
const FROM = 'FROM contact c LEFT JOIN company co ON co.id = c.company_id';

const pool = new pg.Pool({ connectionString: DATABASE_URL, ...POOL });
const app = Fastify();

app.get<{ Querystring: ListQuery }>(
  '/api/contacts',
  { schema: { querystring: LIST_QUERY, response: { 200: LIST_ANSWER } } },
  async ({ query }) => {
    const { page, limit } = query;
    const { where, values } = conditions(query);
    const [found, counted] = await Promise.all([
      pool.query<object>(
        `SELECT ${ITEM} ${FROM} ${where} ORDER BY c.created_at DESC, c.id DESC
         LIMIT $${values.length + 1} OFFSET $${values.length + 2}`,
        [...values, limit, (page - 1) * limit],
      ),
      pool.query<{ count: string }>(`SELECT count(*) FROM contact c ${where}`, values),
    ]);
    const total = Number(counted.rows[0]?.count);
    return { ok: true, data: { items: found.rows, total, page, limit, hasMore: page * limit < total } };
  },
);

app.get<{ Params: { id: string } }>(
  '/api/contacts/:id',
  { schema: { response: { 200: DETAIL_ANSWER } } },
  async ({ params }, reply) => {
    const { rows } = await pool.query<{ product: string | null; tags: string | null }>(
      `SELECT ${DETAIL} ${FROM} WHERE c.id = $1`,
      [params.id],
    );
    const [contact] = rows;
    if (!contact) return reply.code(404).send({ ok: false, error: { code: 'not_found' } });
    return { ok: true, data: { ...contact, products: productsOf(contact) } };
  },
);

app.post<{ Body: Record<string, unknown> }>(
  '/api/contacts',
  { schema: { body: CREATE } },
  async ({ body }, reply) => {
    const row = { id: `ct_${newId()}`, ...body };
    const columns = Object.keys(row);
    const { rows } = await pool.query<object>(
      `INSERT INTO contact (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})
       RETURNING id, full_name, email`,
      Object.values(row),
    );
    return reply.code(201).send({ ok: true, data: rows[0] });
  },
);

app.patch<{ Params: { id: string }; Body: Record<string, unknown> }>(
  '/api/contacts/:id',
  { schema: { body: PATCH } },
  async ({ params, body }, reply) => {
    const set = Object.keys(body).map((column, index) => `${column} = $${index + 2}`);
    const { rowCount } = await pool.query(
      `UPDATE contact SET ${[...set, 'updated_at = now()'].join(', ')} WHERE id = $1`,
      [params.id, ...Object.values(body)],
    );
    if (rowCount === 0) return reply.code(404).send({ ok: false, error: { code: 'not_found' } });
    return { ok: true, data: { id: params.id, updated: true } };
  },
);

app.setErrorHandler<Error & { code?: string; statusCode?: number }>(async (error, _request, reply) => {
  if (error.code === '23505') return reply.code(409).send({ ok: false, error: { code: 'email_taken' } });
  if (error.code === '23503')
    return reply.code(422).send({ ok: false, error: { code: 'company_not_found' } });
  return reply.code(error.statusCode ?? 500).send({ ok: false, error: { code: error.message } });
});

/** The filters as a WHERE clause; nobody else than this function numbers its parameters. */
function conditions({ company_id, type, source, search }: ListQuery): { where: string; values: unknown[] } {
  const all: string[] = [];
  const values: unknown[] = [];
  const add = (value: unknown): string => `$${values.push(value)}`;
  if (company_id !== undefined) all.push(`c.company_id = ${add(company_id)}`);
  if (type !== undefined) all.push(`c.contact_type = ${add(type)}`);
  if (source !== undefined) all.push(`c.source = ${add(source)}`);
  if (search !== undefined) {
    const pattern = add(`%${search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
    all.push(`(c.full_name ILIKE ${pattern} OR c.email ILIKE ${pattern})`);
  }
  return { where: all.length > 0 ? `WHERE ${all.join(' AND ')}` : '', values };
}

await app.listen({ host: '127.0.0.1', port: PORT });
process.once('SIGTERM', () => void app.close().then(() => pool.end()));
