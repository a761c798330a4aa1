// What a portal user may do to the contacts it sees; an API key may do what its scopes say.
import type { Caller, PortalCaller } from '../auth/caller.js';
import { ApiError } from '../common/errors.js';
import type { CreateContactDto, PatchContactDto } from './contact.dto.js';

/** What a portal user who is not its company's administrator may change, of itself alone. */
const OWN_FIELDS = ['first_name', 'last_name', 'full_name', 'phone'];
/** What decides who signs in, and as what: even an administrator leaves its own to others. */
const SIGN_IN_FIELDS = ['email', 'portal_access', 'portal_role'];

/** Whether the caller manages its company's contacts; without a company there is nothing to manage. */
export function isCompanyAdmin(caller: Caller): caller is PortalCaller {
  return caller.kind === 'portal' && caller.role === 'client_admin' && caller.companyId !== null;
}

/** @throws ApiError 403, or 422 for any company but the caller's own. */
export function requireMayCreate(caller: Caller, dto: CreateContactDto): void {
  if (caller.kind === 'key') return;
  if (caller.companyId === null)
    throw forbidden('Contacts are added to their own company, and this caller belongs to none.');
  if (!isCompanyAdmin(caller)) throw forbidden('Only a client_admin may add contacts, to its own company.');
  requireOwnCompany(caller, dto);
}

/** @throws ApiError 403, or 422 for any company but the caller's own. */
export function requireMayPatch(caller: Caller, id: string, dto: PatchContactDto): void {
  if (caller.kind === 'key') return;
  const isSelf = id === caller.contactId;
  const named = Object.keys(dto);
  if (!isCompanyAdmin(caller)) {
    if (!isSelf) throw forbidden('You may change nobody but yourself.');
    refuse(
      named.filter((name) => !OWN_FIELDS.includes(name)),
      `You may change only your ${OWN_FIELDS.join(', ')}`,
    );
    return;
  }
  if (isSelf) {
    refuse(
      named.filter((name) => SIGN_IN_FIELDS.includes(name)),
      'Somebody else has to change how you sign in',
    );
  }
  requireOwnCompany(caller, dto);
}

function refuse(names: readonly string[], why: string): void {
  if (names.length > 0) throw forbidden(`${why}; the body has ${names.join(', ')}.`, names[0]);
}

/** Every other company is one that does not exist. */
function requireOwnCompany(caller: PortalCaller, { company_id }: PatchContactDto): void {
  if (company_id !== undefined && company_id !== caller.companyId) {
    throw new ApiError('company_not_found', { field: 'company_id' });
  }
}

function forbidden(message: string, field?: string): ApiError {
  return new ApiError('forbidden', { message, field });
}
