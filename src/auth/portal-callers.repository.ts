// Who a portal token stands for, as of now. It reads session and contact anew: a token only names them.
import { Injectable } from '@nestjs/common';
import { Reads } from '../common/reads.js';
import type { PortalCaller, PortalRole } from './caller.js';

interface PortalRow {
  contact_id: string;
  company_id: string | null;
  portal_role: PortalRole;
}

@Injectable()
export class PortalCallersRepository {
  constructor(private readonly reads: Reads) {}

  /** The contact as a caller, or null when its session has ended or it has no portal access. */
  async find(contactId: string, sessionId: string): Promise<PortalCaller | null> {
    const [row] = await this.reads.query<PortalRow[]>(
      `SELECT s.contact_id, c.company_id, c.portal_role
       FROM portal_session s JOIN contact c ON c.id = s.contact_id
       WHERE s.id = $1 AND s.ended_at IS NULL AND s.idle_until > now() AND s.expires_at > now()
         AND c.portal_access = 1`,
      [sessionId],
    );
    if (row?.contact_id !== contactId) return null;
    return { kind: 'portal', contactId, sessionId, companyId: row.company_id, role: row.portal_role };
  }
}
