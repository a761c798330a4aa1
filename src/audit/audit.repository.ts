// All SQL that reads the audit log; AuditLog writes it, and nothing changes it.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { KeyCaller } from '../auth/caller.js';
import type { JsonText } from '../common/json-text.js';
import { listPage } from '../common/list.js';
import type { Order } from '../common/order.js';
import type { PageQuery } from '../common/page.js';
import { Params, isoTimestamp, jsonObject } from '../common/sql.js';
import type { AuditEntry, AuditQuery } from './audit.dto.js';

/** Expression per field; the compiler insists that none is missing. */
const ENTRY: Record<keyof AuditEntry, string> = {
  id: 'a.id',
  at: isoTimestamp('a.at'),
  event: 'a.event',
  actor: jsonObject({ kind: 'a.actor_kind', id: 'a.actor_id' }),
  subject_id: 'a.subject_id',
  client_address: 'host(a.client_address)',
  request_id: 'a.request_id',
  details: 'a.details',
};

/** Entries are answered in milliseconds and kept in microseconds: "after 12.345" starts at 12.346. */
const FILTERS: Record<Exclude<keyof AuditQuery, keyof PageQuery>, (placeholder: string) => string> = {
  event: (value) => `a.event = ${value}`,
  subject_id: (value) => `a.subject_id = ${value}`,
  actor_id: (value) => `a.actor_id = ${value}`,
  after: (value) => `a.at >= ${value}::timestamptz + interval '1 ms'`,
  before: (value) => `a.at < ${value}::timestamptz`,
};

const NEWEST_FIRST: Order = {
  name: '-at',
  sort: { expression: 'a.at', type: 'timestamptz' },
  descending: true,
};

@Injectable()
export class AuditRepository {
  constructor(private readonly db: DataSource) {}

  /** One page of the entries that pass the query's filters, the newest first; no portal user sees any. */
  async list(_caller: KeyCaller, query: AuditQuery): Promise<JsonText> {
    const params = new Params();
    const names = (Object.keys(FILTERS) as (keyof typeof FILTERS)[]).filter(
      (name) => query[name] !== undefined,
    );
    const where = names.map((name) => FILTERS[name](params.add(query[name])));
    const { page, limit } = query;
    const request = {
      rows: 'auth_audit_log a',
      id: 'a.id',
      where,
      order: NEWEST_FIRST,
      items: 'JOIN auth_audit_log a USING (id)',
      item: jsonObject(ENTRY),
      page,
      limit,
      total: 'counted' as const,
    };
    return (await listPage(this.db, request, params)).page;
  }
}
