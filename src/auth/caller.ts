// Who is calling: the one type that every guard produces and every repository query takes.

/** What an API key may do; nothing unless named. */
export const SCOPES = [
  'contacts:read',
  'contacts:write',
  'companies:read',
  'companies:write',
  'keys:manage',
  'audit:read',
] as const;
export type Scope = (typeof SCOPES)[number];

export const PORTAL_ROLES = ['client_admin', 'client_viewer'] as const;
export type PortalRole = (typeof PORTAL_ROLES)[number];

/** Where a request came from, for the audit log; nothing is known of the command line. */
export interface Origin {
  readonly address?: string;
  readonly requestId?: string;
}

/** A backend, by API key: sees every row, does what its scopes say. */
export interface KeyCaller {
  readonly kind: 'key';
  readonly keyId: string;
  readonly scopes: readonly Scope[];
  /** Requests a minute, 0 for any number; the default for null. */
  readonly rateLimit?: number | null;
  /** Networks in CIDR notation that the key may be used from; any for null. */
  readonly networks?: readonly string[] | null;
  /** When the key ends; never for null. */
  readonly expiresAt?: Date | null;
  readonly origin?: Origin;
  /** The consistency token that came with the request: what this caller has to see. */
  readonly seen?: string;
}

/** A contact signed in to the portal: sees its own company's people, or only itself without a company. */
export interface PortalCaller {
  readonly kind: 'portal';
  readonly contactId: string;
  readonly sessionId: string;
  readonly companyId: string | null;
  readonly role: PortalRole;
  readonly origin?: Origin;
  readonly seen?: string;
}

export type Caller = KeyCaller | PortalCaller;

/** Whether the caller may read what `scope` names; of portal users only rows and fields are kept back. */
export function mayRead(caller: Caller, scope: Scope): boolean {
  return caller.kind === 'portal' || caller.scopes.includes(scope);
}

/** The command line acts with every scope. */
export const OPERATOR: KeyCaller = { kind: 'key', keyId: 'operator', scopes: SCOPES };
