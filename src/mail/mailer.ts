// Sends one mail: over SMTP, or onto the console where no SMTP server is configured.
import { Inject, Injectable } from '@nestjs/common';
import { type Transporter, createTransport } from 'nodemailer';

export interface Mail {
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

/** How long an SMTP server may take to connect, greet and answer, in ms. */
const PATIENCE = 10_000;

@Injectable()
export class Mailer {
  private readonly transport?: Transporter;

  constructor(@Inject(MAIL_SETTINGS) private readonly settings: MailSettings) {
    if (!settings.smtpUrl) return;
    this.transport = createTransport({
      url: settings.smtpUrl,
      connectionTimeout: PATIENCE,
      greetingTimeout: PATIENCE,
      socketTimeout: PATIENCE,
    });
  }

  /** Whether mail can be sent at all. */
  get isConfigured(): boolean {
    return this.transport !== undefined || this.settings.print !== undefined;
  }

  /** Resolves when the server has taken the mail. @throws Error when it has not. */
  async send({ to, subject, text, html }: Mail): Promise<void> {
    if (!this.transport) {
      const { print } = this.settings;
      if (!print) throw new Error('SMTP_URL is not set.');
      print(`Mail to ${to}: ${subject}\n\n${text}\n`);
      return;
    }
    // The address as an object and an envelope of its own: in a string, a comma would add a recipient.
    const recipient = { name: '', address: to };
    const envelope = { from: addressOf(this.settings.from), to: [to] };
    await this.transport.sendMail({ from: this.settings.from, to: recipient, envelope, subject, text, html });
  }
}

function addressOf(from: string): string {
  return /<([^>]+)>$/.exec(from)?.[1] ?? from;
}
