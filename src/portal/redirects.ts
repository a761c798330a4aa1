// Where a sign-in may lead: nowhere but to the origins that are configured.
import { ApiError } from '../common/errors.js';

/**
 * The absolute URL of `target` if its origin is exactly one of `origins`; without a target, `home`.
 * What is emitted is what was parsed, so that no browser can read it otherwise.
 * @throws ApiError 400 for everything else.
 */
export function allowedRedirect(
  target: string | undefined,
  { origins, home }: { origins: readonly string[]; home: string },
): string {
  if (target === undefined) return home;
  const url = URL.parse(target);
  // A blob: URL has the origin of the page that made it, so the scheme is looked at, too.
  const web = url?.protocol === 'https:' || url?.protocol === 'http:';
  const allowed = web && origins.includes(url.origin) && url.username === '' && url.password === '';
  // Browsers read a backslash as a slash and drop tabs and line breaks: no honest redirect needs them.
  if (!allowed || /[\\\s]/.test(target)) {
    const message = 'redirect must be an absolute URL of an origin that is configured for portals.';
    throw ApiError.invalid([{ field: 'redirect', code: 'bad_format', message }]);
  }
  return url.href;
}
