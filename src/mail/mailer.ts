// Sends one mail: over SMTP, or onto the console where no SMTP server is configured.
import { Inject, Injectable } from '@nestjs/common';
import { type Transporter, createTransport } from 'nodemailer';

export interface Mail {
  /** The same for the same mail, sent however often: a mailbox shows it once. */
  readonly id: string;
  /** One address, as stored; never text from a request. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailSettings {
  readonly from: string;
  /** smtp:// or smtps:// with credentials. */
  readonly smtpUrl?: string;
  /** Without an SMTP server, shows mail instead: for development, where nobody else reads the console. */
  readonly print?: (text: string) => void;
}
export const MAIL_SETTINGS = Symbol('MAIL_SETTINGS');

/** How long an SMTP server may take to connect and greet, in ms. */
const PATIENCE = 10_000;
/**
 * How long it may take for an answer, in ms. Some look through a mail before they say that they have taken it, and
 * whoever does not wait for that sends it twice.
 */
const SILENCE = 180_000;

@Injectable()
export class Mailer {
  private readonly transport?: Transporter;

  constructor(@Inject(MAIL_SETTINGS) private readonly settings: MailSettings) {
    if (!settings.smtpUrl) return;
    this.transport = createTransport({
      url: settings.smtpUrl,
      connectionTimeout: PATIENCE,
      greetingTimeout: PATIENCE,
      socketTimeout: SILENCE,
    });
  }

  /** Whether mail can be sent at all. */
  get isConfigured(): boolean {
    return this.transport !== undefined || this.settings.print !== undefined;
  }

  /** Resolves when the server has taken the mail. @throws Error when it has not. */
  async send({ id, to, subject, text, html }: Mail): Promise<void> {
    if (!this.transport) {
      const { print } = this.settings;
      if (!print) throw new Error('SMTP_URL is not set.');
      print(`Mail to ${to}: ${subject}\n\n${text}\n`);
      return;
    }
    // The address as an object and an envelope of its own: in a string, a comma would add a recipient.
    const recipient = { name: '', address: to };
    const { from } = this.settings;
    const envelope = { from: addressOf(from), to: [to] };
    const messageId = `<${id}@${addressOf(from).split('@').at(-1)}>`;
    await this.transport.sendMail({ from, to: recipient, envelope, messageId, subject, text, html });
  }
}

function addressOf(from: string): string {
  return /<([^>]+)>$/.exec(from)?.[1] ?? from;
}
