// What a visitor sees who opens a link.
import { escapeHtml } from './html.js';

/** One button, which sends the token in a form: opening the page uses nothing up. */
export function confirmPage(token: string, product: string | null, formTargets: readonly string[]) {
  const where = product ?? 'the portal';
  const body = `<p>One click and you are in. The link works once.</p>
<form method="post" action="/auth/magic-link/confirm">
<input type="hidden" name="token" value="${escapeHtml(token)}">
<button type="submit" autofocus>Sign in</button>
</form>`;
  return { title: `Sign in to ${where}`, body, formTargets };
}

/** Says what to do, and not whether anybody has that address. */
export function expiredPage() {
  const body = `<p>It was used already, replaced by a newer one, or is older than 15 minutes.</p>
<p>Go back to where you wanted to sign in and ask for a new link.</p>`;
  return { title: 'This link no longer works', body, status: 410 };
}
