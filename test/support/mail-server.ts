// A real SMTP server on loopback, whose mail the tests read; it can be slow, and stop and come back.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  /** Recipients of the envelope: who really gets it. */
  recipients: string[];
  content: ParsedMail;
  token: string;
  code: string;
}

export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** Addresses whose mail it has, but says so only later, and after how many ms. */
  readonly slowFor = new Map<string, number>();
  /** How many connections were made, however they ended. */
  connections = 0;
  private server?: SMTPServer;
  private port = 0;
  private held?: { released: Promise<void>; release: () => void };

  /** Listens; after a stop, on the same port as before. */
  static async start(): Promise<MailServer> {
    const mailServer = new MailServer();
    await mailServer.start();
    return mailServer;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      logger: false,
      onConnect: (_session, done) => {
        this.connections += 1;
        void (this.held?.released ?? Promise.resolve()).then(() => done());
      },
      onData: (stream, session, done) => {
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        simpleParser(stream).then(
          (content) => {
            const text = content.text ?? '';
            const token = /token=([\w-]+)/.exec(text)?.[1] ?? '';
            const code = /code: (\d{6})/.exec(text)?.[1] ?? '';
            this.received.push({ recipients, content, token, code });
            const delay = Math.max(0, ...recipients.map((address) => this.slowFor.get(address) ?? 0));
            return setTimeout(done, delay).unref();
          },
          (error: Error) => done(error),
        );
      },
    });
    this.server.on('error', () => {}); // a client that went away
    const listening = this.server.listen(this.port, '127.0.0.1');
    await once(listening, 'listening');
    this.port = (listening.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.release();
    const { server } = this;
    this.server = undefined;
    if (server) await new Promise<void>((resolve) => server.close(resolve));
  }

  /** From now on nobody is greeted until `release`. */
  hold(): void {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    this.held = { released, release };
  }

  release(): void {
    this.held?.release();
    this.held = undefined;
  }

  mailsTo(address: string): ReceivedMail[] {
    return this.received.filter(({ recipients }) => recipients.includes(address));
  }

  /** The `count`-th mail to an address, as soon as it is there. */
  mailTo(address: string, count = 1): Promise<ReceivedMail> {
    return arrival(() => this.mailsTo(address)[count - 1], `mail number ${count} to ${address}`);
  }

  /** The mail that carries this token, as soon as it is there. */
  mailWith(token: string): Promise<ReceivedMail> {
    return arrival(() => this.received.find((mail) => mail.token === token), 'mail with this token');
  }
}

async function arrival(find: () => ReceivedMail | undefined, what: string): Promise<ReceivedMail> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(20)) {
    const mail = find();
    if (mail) return mail;
  }
  throw new Error(`No ${what} has come.`);
}
