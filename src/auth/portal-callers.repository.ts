// Who a portal token stands for, as of now. It reads the contact's own row: a token only names the contact.
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { PortalCaller, PortalRole } from './caller.js';

interface PortalRow {
  id: string;
  company_id: string | null;
  portal_role: PortalRole;
}

@Injectable()
export class PortalCallersRepository {
  constructor(private readonly db: DataSource) {}

  /** The contact as a caller, or null without portal access. */
  async findById(contactId: string): Promise<PortalCaller | null> {
    const rows = await this.db.query<PortalRow[]>(
      'SELECT id, company_id, portal_role FROM contact WHERE id = $1 AND portal_access = 1',
      [contactId],
    );
    const [row] = rows;
    return row
      ? { kind: 'portal', contactId: row.id, companyId: row.company_id, role: row.portal_role }
      : null;
  }
}
