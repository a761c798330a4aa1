// What decides whether and for what company a contact may sign in, and what the audit log is told when that changes.
import type { AuditEvent, Details } from '../auth/audit-log.js';
import type { ContactDetail } from './contact.dto.js';

/** Who has the mailbox of `email` signs in as the contact, and sees the people of its company. */
export type PortalAccess = Pick<ContactDetail, 'portal_access' | 'portal_role' | 'email' | 'company_id'>;

/** Of a contact that is not there yet. */
export const NO_ACCESS: PortalAccess = { portal_access: 0, portal_role: null, email: null, company_id: null };

const DECISIVE = Object.keys(NO_ACCESS);

/** Whether a change may be one of access, and has to be recorded together with itself. */
export function mayChangeAccess(changes: object): boolean {
  return DECISIVE.some((field) => field in changes);
}

/** What happened, in ids and words; an address is not told. */
export function accessChanges(before: PortalAccess, after: PortalAccess): [AuditEvent, Details][] {
  if (before.portal_access < after.portal_access)
    return [['portal_access_granted', { role: after.portal_role }]];
  if (before.portal_access > after.portal_access) return [['portal_access_withdrawn', {}]];
  if (after.portal_access === 0) return [];
  const changes: [keyof PortalAccess, AuditEvent, Details][] = [
    ['portal_role', 'portal_role_changed', { from: before.portal_role, to: after.portal_role }],
    ['email', 'portal_email_changed', {}],
    ['company_id', 'portal_company_changed', { from: before.company_id, to: after.company_id }],
  ];
  return changes.flatMap(([field, event, details]) =>
    before[field] === after[field] ? [] : [[event, details]],
  );
}
