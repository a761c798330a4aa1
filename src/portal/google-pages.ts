// What a visitor sees whom Google did not sign in: what to do, and never whether an address is known here.
import type { Attempt } from './google-attempts.js';
import type { RefusalReason } from './google-refusal.js';
import { type PageContent, escapeHtml } from './html.js';

interface Message {
  status: number;
  title: string;
  text: string;
}

/** The same words for an address that is unknown, unverified, or without access. */
const NOT_HERE: Message = {
  status: 403,
  title: 'You could not be signed in',
  text: 'This Google account does not open the portal. Choose another account, sign in by mail instead, or ask whoever looks after your access to check which address they have for you.',
};

const MESSAGES: Record<RefusalReason, Message> = {
  cancelled: {
    status: 403,
    title: 'Signing in was cancelled',
    text: 'Google did not confirm who you are, so you are not signed in. You can try again, or sign in by mail instead.',
  },
  stale: {
    status: 403,
    title: 'This sign-in is no longer valid',
    text: 'It was finished already, took longer than ten minutes, or began in another browser. Go back to where you wanted to sign in and start again.',
  },
  unverified_email: NOT_HERE,
  no_contact: NOT_HERE,
  no_access: NOT_HERE,
  bad_answer: {
    status: 502,
    title: 'Google could not confirm who you are',
    text: 'Its answer could not be used, so you are not signed in. Try again in a moment, or sign in by mail instead.',
  },
  unreachable: {
    status: 503,
    title: 'Google cannot be reached',
    text: 'You are not signed in. Try again in a moment, or sign in by mail instead.',
  },
};

/** The page for a refusal; with the attempt known, it leads back and to another try. */
export function refusalPage(reason: RefusalReason, attempt: Attempt | null): PageContent {
  const { status, title, text } = MESSAGES[reason];
  return { status, title, body: `<p>${text}</p>${attempt ? waysOn(attempt) : ''}` };
}

function waysOn({ redirect, product }: Attempt): string {
  const query = new URLSearchParams({ redirect, ...(product !== null && { product }) });
  const again = escapeHtml(`/auth/sso/google?${query.toString()}`);
  return `
<p><a href="${again}">Try again with Google</a></p>
<p><a href="${escapeHtml(redirect)}">Back to ${escapeHtml(product ?? 'the portal')}</a></p>`;
}
