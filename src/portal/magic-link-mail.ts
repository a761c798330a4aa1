// The mail with the link and the code. Both follow from the request's id and our secret, so neither is stored.
import { Injectable } from '@nestjs/common';
import { Secrets } from '../common/secrets.js';
import { Jobs } from '../mail/jobs.js';
import { Mailer } from '../mail/mailer.js';
import { escapeHtml } from './html.js';
import { MagicLinksRepository } from './magic-links.repository.js';
import { PortalSettings } from './portal-settings.js';

/** The queue's name. */
export const LINK_MAIL = 'magic-link-mail';

/** The 256-bit token of a request's link. */
export function tokenOf(secrets: Secrets, id: string): string {
  return secrets.derive('magic-link-token', id).toString('base64url');
}

/** The six digits of a request's code; the remainder's bias is below one in ten billion. */
export function codeOf(secrets: Secrets, id: string): string {
  return String(secrets.derive('magic-link-code', id).readUIntBE(0, 6) % 1_000_000).padStart(6, '0');
}

@Injectable()
export class MagicLinkMail {
  constructor(
    jobs: Jobs,
    private readonly links: MagicLinksRepository,
    private readonly mailer: Mailer,
    private readonly secrets: Secrets,
    private readonly settings: PortalSettings,
  ) {
    jobs.handle(LINK_MAIL, ({ id }) => (id ? this.send(id) : Promise.resolve()));
  }

  /** Mails an open link to the stored address of its contact; does nothing for any other. */
  private async send(id: string): Promise<void> {
    const link = await this.links.findMailable(id);
    if (!link) return;
    const url = `${this.settings.publicUrl}/auth/magic-link?token=${tokenOf(this.secrets, id)}`;
    const content = compose(url, codeOf(this.secrets, id), link.product);
    await this.mailer.send({ id, to: link.email, ...content });
  }
}

function compose(url: string, code: string, product: string | null) {
  const where = product ?? 'the portal';
  const subject = `Sign in to ${where}`;
  const text = `Sign in to ${where} with this link:

${url}

Or type this code: ${code}

Both work once, for 15 minutes. If you did not ask for them, ignore this mail: nobody gets in without it.
`;
  const html = `<!doctype html>
<html lang="en"><body style="font-family:sans-serif;line-height:1.5;color:#1c1f24">
<p>Sign in to ${escapeHtml(where)}:</p>
<p><a href="${escapeHtml(url)}" style="display:inline-block;padding:12px 20px;background:#1a56db;color:#fff;border-radius:6px;text-decoration:none">Sign in</a></p>
<p>Or type this code: <strong style="font-size:1.3em;letter-spacing:.15em">${code}</strong></p>
<p style="color:#5b6470">Both work once, for 15 minutes. If you did not ask for them, ignore this mail: nobody gets in without it.</p>
</body></html>
`;
  return { subject, text, html };
}
