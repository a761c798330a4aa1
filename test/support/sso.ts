// A service that signs in with Google, for which a real OpenID provider on loopback stands in.
import { expect } from '@jest/globals';
import { IdentityProvider, type Person } from './identity-provider.js';
import { Navigator, type Visit } from './navigator.js';
import { PATIENT, TEST_SECRET, TestService } from './service.js';

/** The service and two portals, as browsers know them. */
export const AUTH = 'https://auth.acme.test';
export const PORTAL = 'https://portal.acme.test';
export const SIBLING = 'https://shop.acme.test';
export const START = `${AUTH}/auth/sso/google`;
export const CALLBACK = /^https:\/\/auth\.acme\.test\/auth\/sso\/google\/callback\?/;

export class SsoService {
  private counter = 0;

  private constructor(
    readonly provider: IdentityProvider,
    readonly service: TestService,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<SsoService> {
    const provider = await IdentityProvider.start(`${START}/callback`);
    const all = {
      ...provider.settings,
      PUBLIC_URL: AUTH,
      PORTAL_SECRET: TEST_SECRET,
      PORTAL_ORIGINS: `${PORTAL},${SIBLING}`,
      PORTAL_PRODUCTS: 'crm,shop',
      ...PATIENT,
      ...settings,
    };
    return new SsoService(provider, await TestService.start(all));
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.provider.stop();
  }

  /** Undoes what a test did to the provider. */
  async repair(): Promise<void> {
    Object.assign(this.provider, { visitor: null, forge: undefined, broken: undefined });
    await this.provider.restart();
  }

  navigator(): Navigator {
    const { issuer } = this.provider;
    return new Navigator({ [AUTH]: this.service.url, [issuer]: issuer });
  }

  /** A contact that may sign in, and its account at the provider, which comes next there. */
  async person(overrides: Record<string, unknown> = {}): Promise<{ contactId: string; account: Person }> {
    const email = `person${(this.counter += 1)}@acme.test`;
    const given = { email, full_name: 'Jane Smith', portal_access: 1, ...overrides };
    const { status, body } = await this.service.api.post('/api/contacts', given);
    expect({ status, body }).toMatchObject({ status: 201 });
    const account = { sub: `google-${this.counter}`, email, email_verified: true, name: 'Jane Smith' };
    this.provider.visitor = account;
    return { contactId: body.data.id as string, account };
  }

  /** Signs in from start to end, as whoever comes next at the provider. */
  signIn(navigator = this.navigator()): Promise<Visit> {
    return navigator.open(START);
  }

  /** Goes to the provider and back as far as the callback, which it leaves to the test. */
  async untilCallback(navigator: Navigator): Promise<string> {
    const { url } = await navigator.open(START, { before: CALLBACK });
    expect(url).toMatch(CALLBACK);
    return url;
  }

  /** Who is signed in in this browser: a contact's id, or null. */
  async signedIn(navigator: Navigator): Promise<string | null> {
    const token = navigator.cookiesFor(AUTH).sm_client;
    if (!token) return null;
    const { body } = await this.service.as({ authorization: `Bearer ${token}` }).get('/auth/session');
    return (body.data?.id as string | undefined) ?? null;
  }

  /** The contacts linked to an account at the provider. */
  async linkedTo(account: Person): Promise<string[]> {
    const rows = await this.service.sql<{ contact_id: string }>(
      'SELECT contact_id FROM portal_identity WHERE issuer = $1 AND subject = $2',
      [this.provider.issuer, account.sub],
    );
    return rows.map((row) => row.contact_id);
  }

  /** The newest entry of the audit log. */
  async lastAudit(): Promise<{ event: string; subject_id: string | null; details: Record<string, unknown> }> {
    const [entry] = await this.service.sql<{
      event: string;
      subject_id: string | null;
      details: Record<string, unknown>;
    }>('SELECT event, subject_id, details FROM auth_audit_log ORDER BY id DESC LIMIT 1');
    if (!entry) throw new Error('The audit log is empty.');
    return entry;
  }
}
