// A real OpenID provider on loopback in Google's place, whose login page answers by itself.
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type CryptoKey, type JWK, SignJWT, decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { Provider, interactionPolicy } from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

const CLIENT_ID = 'contacts';
const CLIENT_SECRET = 'a-secret-between-the-service-and-its-provider';
/** Lifetimes, in seconds; unnamed ones make the provider complain. */
const TTL = {
  AccessToken: 600,
  AuthorizationCode: 60,
  Grant: 600,
  IdToken: 600,
  Interaction: 600,
  Session: 600,
};

export type Claims = Record<string, unknown>;

/** An account; `sub` is the provider's lasting name of it. */
export interface Person extends Claims {
  sub: string;
}

export class IdentityProvider {
  /** Who comes next; null says no on the consent page. */
  visitor: Person | null = null;
  /** Makes the ID token from the claims that the provider would have signed. */
  forge?: (claims: Claims) => Promise<string> | string;
  /** What a path answers instead of what it should. */
  broken?: { path: string; status: number; body: unknown };

  /** The paths it was asked for, in their order. */
  readonly asked: string[] = [];

  private readonly people = new Map<string, Person>();

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
    private readonly key: CryptoKey,
    jwk: JWK,
    redirectUri: string,
  ) {
    const provider = new Provider(issuer, this.configuration(jwk, redirectUri));
    provider.use(async (context, next) => {
      this.asked.push(context.path);
      if (this.broken?.path === context.path) {
        context.status = this.broken.status;
        context.body = this.broken.body;
        return;
      }
      await next();
      const answer = context.body as { id_token?: string };
      if (context.path === '/token' && answer.id_token && this.forge) {
        answer.id_token = await this.forge(decodeJwt(answer.id_token));
      }
    });
    const answer = provider.callback();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith('/interaction/')) void this.logIn(provider, request, response);
      else answer(request, response);
    });
  }

  /** Starts a provider that knows one client, which is called back at `redirectUri`. */
  static async start(redirectUri: string): Promise<IdentityProvider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: 'provider', alg: 'RS256', use: 'sig' };
    return new IdentityProvider(`http://127.0.0.1:${port}`, server, privateKey, jwk, redirectUri);
  }

  /** The environment of a service that signs in with this provider. */
  get settings(): Record<string, string> {
    return { GOOGLE_ISSUER: this.issuer, GOOGLE_CLIENT_ID: CLIENT_ID, GOOGLE_CLIENT_SECRET: CLIENT_SECRET };
  }

  /** An ID token of these claims, by the provider's own key unless told otherwise. */
  sign(claims: Claims, key: CryptoKey = this.key): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'provider' }).sign(key);
  }

  /** Refuses connections, as a provider that is down does. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  async restart(): Promise<void> {
    if (this.server.listening) return;
    this.server.listen(Number(new URL(this.issuer).port), '127.0.0.1');
    await once(this.server, 'listening');
  }

  private configuration(jwk: JWK, redirectUri: string): object {
    const policy = interactionPolicy.base();
    // Google lets visitors choose an account; this provider does not know that by itself.
    policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);
    return {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: CLIENT_SECRET,
          redirect_uris: [redirectUri],
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      adapter: createMemoryAdapter(),
      ttl: TTL,
      jwks: { keys: [jwk] },
      cookies: { keys: ['keeps-the-cookies-of-the-provider'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      // Google puts them into the ID token.
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false } },
      interactions: { policy, url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
      findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => this.people.get(sub) }),
    };
  }

  private async logIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { params, grantId } = await provider.interactionDetails(request, response);
    const { visitor } = this;
    if (!visitor) return provider.interactionFinished(request, response, { error: 'access_denied' });
    this.people.set(visitor.sub, visitor);
    const result = {
      select_account: {},
      login: { accountId: visitor.sub },
      // A new grant would void the codes of the one before, and with them the visitor's other tabs.
      consent: { grantId: grantId ?? (await grant(provider, visitor.sub, params)) },
    };
    return provider.interactionFinished(request, response, result);
  }
}

function grant(
  provider: Provider,
  accountId: string,
  params: { client_id: string; scope: string },
): Promise<string> {
  const given = new provider.Grant({ accountId, clientId: params.client_id });
  given.addOIDCScope(params.scope);
  return given.save();
}
