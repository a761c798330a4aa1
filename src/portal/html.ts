// The few pages of sign-in: plain, accessible, without scripts or anything from elsewhere.
import type { FastifyReply } from 'fastify';
import { pageHeaders } from '../common/security-headers.js';

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const STYLE = `
  :root { color-scheme: light dark; --line: light-dark(#e0e3e8, #2f343d); --quiet: light-dark(#565e6b, #a3abb8);
    --accent: light-dark(#1a56db, #7da7ff); --hover: light-dark(#1e429f, #a4c3ff); }
  body { box-sizing: border-box; margin: 0; min-height: 100vh; padding: 1rem; display: grid; place-items: center;
    font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f6f7f9, #101216); color: light-dark(#15181d, #eceef2); }
  main { box-sizing: border-box; width: 100%; max-width: 25rem; padding: 2rem 1.5rem; border: 1px solid var(--line);
    border-radius: 1rem; background: light-dark(#fff, #191c22); }
  h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
  p { margin: 0 0 1.25rem; color: var(--quiet); }
  p:last-child { margin: 0; }
  a { color: var(--accent); }
  button { width: 100%; min-height: 3rem; padding: .75rem 1rem; border: 0; border-radius: .625rem; font: inherit;
    font-weight: 600; color: light-dark(#fff, #0c1a38); background: var(--accent); cursor: pointer; }
  button:hover { background: var(--hover); }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }`;

export interface PageContent {
  title: string;
  /** HTML; everything variable in it is escaped by its writer. */
  body: string;
  status?: number;
  /** Origins a form may lead to by redirect: browsers hold redirects against form-action, too. */
  formTargets?: readonly string[];
}

/** Sends a page that no other site may frame, no cache keep, and no link leak from. */
export function sendPage(
  reply: FastifyReply,
  { title, body, status = 200, formTargets = [] }: PageContent,
): void {
  const headers = pageHeaders({
    'style-src': ["'unsafe-inline'"],
    'form-action': ["'self'", ...formTargets],
  });
  void reply.status(status).headers({
    ...headers,
    'content-type': 'text/html; charset=utf-8',
    // Not no-referrer: under it browsers send `Origin: null` with the form.
    'referrer-policy': 'same-origin',
  }).send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body><main>
<h1>${escapeHtml(title)}</h1>
${body}
</main></body>
</html>
`);
}
