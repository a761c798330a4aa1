// What no start is let pass with: settings that would let strangers in, or read along.
import { isIP } from 'node:net';

/** Lets a developer start without any setting; whoever reads this file knows it. */
export const DEVELOPMENT_SECRET = 'placeholder-for-development-only-never-in-production';

/** What .env.example and tutorials put where a secret belongs; none of it may reach production. */
const PLACEHOLDER = /change-?me|placeholder|example\.(com|org)|postgres:postgres@|:password@/i;

/** Those that are unsafe together with others; of all others it is asked whether they are placeholders. */
interface Settings {
  readonly NODE_ENV: string;
  readonly HOST: string;
  readonly PUBLIC_URL?: string;
  readonly DATABASE_URL?: string;
  readonly PORTAL_SECRET: string;
  readonly JWT_SECRET?: string;
  readonly GOOGLE_ISSUER: string;
  readonly PORTAL_ORIGINS: readonly string[];
  readonly PORTAL_COOKIE_SAMESITE: string;
  readonly TRUST_PROXY: readonly string[];
}

/** What is wrong with these settings as a whole, a line for each, with the variable's name first. */
export function unsafeSettings(env: Settings): string[] {
  if (env.NODE_ENV === 'production') return unsafeInProduction(env);
  const isReachable = !isLoopback(env.HOST) || (env.PUBLIC_URL !== undefined && !isLocal(env.PUBLIC_URL));
  if (!isReachable || env.PORTAL_SECRET !== DEVELOPMENT_SECRET) return [];
  const remedy =
    'set one of your own, such as openssl rand -hex 32 makes, or keep HOST and PUBLIC_URL on this machine';
  return [`PORTAL_SECRET: anybody who reaches the service could sign in with the placeholder; ${remedy}`];
}

function unsafeInProduction(env: Settings): string[] {
  const faults: string[] = [];
  if (!env.DATABASE_URL) faults.push('DATABASE_URL: required in production');
  for (const [name, value] of Object.entries(env)) {
    const texts = [value].flat().filter((one) => typeof one === 'string');
    if (texts.some((text) => PLACEHOLDER.test(text))) faults.push(`${name}: still a placeholder`);
  }
  if (!isHttps(env.GOOGLE_ISSUER)) faults.push('GOOGLE_ISSUER: must be https in production');
  if (!env.PUBLIC_URL) faults.push('PUBLIC_URL: required in production');
  if (env.JWT_SECRET === env.PORTAL_SECRET)
    faults.push('JWT_SECRET: portals know it, so it must not be PORTAL_SECRET, which opens everything');
  if (isHttps(env.PUBLIC_URL) && env.PORTAL_ORIGINS.some((origin) => !isHttps(origin) && !isLocal(origin)))
    faults.push('PORTAL_ORIGINS: must be https in production, or whoever is on the way is signed in, too');
  if (env.PORTAL_COOKIE_SAMESITE === 'none' && !isHttps(env.PUBLIC_URL))
    faults.push('PORTAL_COOKIE_SAMESITE: none needs a PUBLIC_URL of https');
  if (env.TRUST_PROXY.some(isWide))
    faults.push(
      'TRUST_PROXY: whoever has an address of so large a network may say where a request comes from',
    );
  return faults;
}

const isHttps = (url: string | undefined): boolean => url?.startsWith('https:') ?? false;
const isLocal = (url: string): boolean => isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''));

/** Larger than what anybody has to itself; IPv4 written as IPv6 hides how large it is. */
function isWide(proxies: string): boolean {
  const [address = '', bits] = proxies.split('/');
  if (bits === undefined) return false;
  return isIP(address) === 4 ? Number(bits) < 8 : Number(bits) < 16 || /^::ffff:/i.test(address);
}

function isLoopback(host: string): boolean {
  return isIP(host) ? host === '::1' || host.startsWith('127.') : /(^|\.)localhost$/.test(host);
}
