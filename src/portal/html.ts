// The few pages of sign-in: plain, accessible, without scripts or anything from elsewhere.
import type { FastifyReply } from 'fastify';

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const STYLE = `
  :root { color-scheme: light dark; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.05rem/1.5 system-ui, sans-serif;
    background: Canvas; color: CanvasText; }
  main { box-sizing: border-box; width: 100%; max-width: 26rem; padding: 1.5rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
  p { margin: 0 0 1.25rem; }
  button { box-sizing: border-box; width: 100%; padding: .9rem 1rem; border: 0; border-radius: .5rem;
    font: inherit; font-weight: 600; color: #fff; background: #1a56db; cursor: pointer; }
  button:hover { background: #1e429f; }
  button:focus-visible { outline: 3px solid #76a9fa; outline-offset: 2px; }`;

interface PageContent {
  title: string;
  /** HTML; everything variable in it is escaped by its writer. */
  body: string;
  status?: number;
  /** Origins a form may lead to by redirect: browsers hold redirects against form-action, too. */
  formTargets?: readonly string[];
}

/** Sends a page that no other site may frame, no cache keep, and no link leak from. */
export function sendPage(reply: FastifyReply, { title, body, status = 200, formTargets = [] }: PageContent): void {
  const policy = [
    `default-src 'none'`,
    `style-src 'unsafe-inline'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
  ].join('; ');
  void reply
    .status(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      // Not no-referrer: under it browsers send `Origin: null` with the form.
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    .send(`<!doctype html>
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
