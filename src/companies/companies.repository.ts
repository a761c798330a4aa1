// All SQL on companies. Every query takes the caller: a portal user has its own company and no other.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller, KeyCaller } from '../auth/caller.js';
import type { JsonText } from '../common/json-text.js';
import { listPage } from '../common/list.js';
import { PreparedPool } from '../common/prepared-pool.js';
import { Servers } from '../common/servers.js';
import {
  Params,
  type Queryable,
  type Transactional,
  assignments,
  columnsOf,
  insertValues,
  isoTimestamp,
  jsonObject,
} from '../common/sql.js';
import { transaction } from '../common/transaction.js';
import {
  type CompanyDetail,
  type CompanyItem,
  type CreatedCompany,
  PORTAL_COMPANY_FIELDS,
  type PortalCompany,
} from './company.dto.js';
import type { Company } from './company.entity.js';
import { type CompanyQuery, filterConditions, listOrder } from './company.query.js';

/** Expression per field over `company c`; the compiler insists that none is missing. */
const ITEM: Record<keyof CompanyItem, string> = {
  id: 'c.id',
  name: 'c.name',
  domain: 'c.domain',
  industry: 'c.industry',
  employee_count: 'c.employee_count',
  revenue_range: 'c.revenue_range',
  company_type: 'c.company_type',
  status: 'c.status',
  product: 'c.product',
  source: 'c.source',
  health_score: 'c.health_score',
  monthly_revenue: 'c.monthly_revenue',
  total_contract_value: 'c.total_contract_value',
  notes: 'c.notes',
  created_at: isoTimestamp('c.created_at'),
  updated_at: isoTimestamp('c.updated_at'),
};

const DETAIL: Record<keyof CompanyDetail, string> = {
  ...ITEM,
  contacts_count: '(SELECT count(*) FROM contact WHERE company_id = c.id)',
};

@Injectable()
export class CompaniesRepository {
  constructor(
    private readonly db: DataSource,
    private readonly servers: Servers,
    private readonly prepared: PreparedPool,
  ) {}

  /** One page of the companies the caller sees, of those that pass the query's filters. */
  list(caller: Caller, query: CompanyQuery): Promise<JsonText> {
    return this.servers.read(caller, ({ planned }) => this.listOn(caller, query, planned));
  }

  private async listOn(caller: Caller, query: CompanyQuery, db: Queryable): Promise<JsonText> {
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), ...filterConditions(query, params)];
    const { page, limit } = query;
    const request = {
      rows: 'company c',
      id: 'c.id',
      where,
      order: listOrder(query),
      items: 'JOIN company c USING (id)',
      item: jsonObject(visibleTo(caller, ITEM)),
      page,
      limit,
      total: 'counted' as const,
    };
    return (await listPage(db, request, params)).page;
  }

  /**
   * The company with the fields the caller sees, or null; `lock` keeps it unchanged until the transaction ends, though
   * contacts may still be added to it.
   */
  async findById(
    caller: Caller,
    id: string,
    { db = this.db, lock = false }: { db?: Queryable; lock?: boolean } = {},
  ): Promise<CompanyDetail | PortalCompany | null> {
    const params = new Params();
    const where = [...rowsVisibleTo(caller, params), `c.id = ${params.add(id)}`].join(' AND ');
    const statement = `SELECT ${jsonObject(visibleTo(caller, DETAIL))} AS company FROM company c WHERE ${where}`;
    const rows = await db.query<{ company: CompanyDetail | PortalCompany }[]>(
      lock ? `${statement} FOR NO KEY UPDATE OF c` : statement,
      params.values,
    );
    return rows[0]?.company ?? null;
  }

  /** The company with the fields the caller sees, or null, to be shown and not to be decided by. */
  show(caller: Caller, id: string): Promise<CompanyDetail | PortalCompany | null> {
    return this.servers.read(caller, ({ planned }) => this.findById(caller, id, { db: planned }));
  }

  /** Inserts a company, which no portal user may; null when the id is taken already. */
  async insert(
    _caller: KeyCaller,
    company: Partial<Company> & { id: string },
    db: Queryable = this.prepared,
  ): Promise<CreatedCompany | null> {
    const params = new Params();
    const rows = await db.query<CreatedCompany[]>(
      `INSERT INTO company ${insertValues(company, params)} ON CONFLICT (id) DO NOTHING RETURNING id, name`,
      params.values,
    );
    return rows[0] ?? null;
  }

  /** Changes a company, which no portal user may; null when there is none. */
  async update(
    _caller: KeyCaller,
    id: string,
    changes: Partial<Company>,
    db: Queryable = this.prepared,
  ): Promise<{ id: string } | null> {
    const params = new Params();
    const set = assignments(columnsOf(changes), (column) => params.add(changes[column as keyof Company]));
    const statement = `WITH changed AS (
        UPDATE company c SET ${set} WHERE c.id = ${params.add(id)} RETURNING c.id
      ) SELECT id FROM changed`;
    return (await db.query<{ id: string }[]>(statement, params.values))[0] ?? null;
  }

  /** Runs `work` in one transaction, or in a savepoint of the one that is open on `db`. */
  transaction<T>(work: (db: Queryable) => Promise<T>, db?: Transactional): Promise<T> {
    return transaction(this.db, work, db);
  }
}

/** Those of the expressions whose fields exist for the caller. */
function visibleTo(caller: Caller, expressions: Record<string, string>): Record<string, string> {
  if (caller.kind === 'key') return expressions;
  const visible: readonly string[] = PORTAL_COMPANY_FIELDS;
  return Object.fromEntries(Object.entries(expressions).filter(([field]) => visible.includes(field)));
}

function rowsVisibleTo(caller: Caller, params: Params): string[] {
  return caller.kind === 'key' ? [] : [`c.id = ${params.add(caller.companyId)}`];
}
