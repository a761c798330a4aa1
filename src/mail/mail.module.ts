import { Module } from '@nestjs/common';
import { ENV } from '../config/config.module.js';
import { type Env, directUrlOf } from '../config/env.js';
import { JOBS_URL, Jobs } from './jobs.js';
import { MAIL_SETTINGS, type MailSettings, Mailer } from './mailer.js';

/** Where mail is shown without an SMTP server. Past the log, which knows no addresses and no links. */
const CONSOLE: Partial<Record<Env['NODE_ENV'], (text: string) => void>> = {
  development: (text) => void process.stdout.write(text),
  test: () => undefined,
};

@Module({
  providers: [
    Jobs,
    Mailer,
    {
      provide: JOBS_URL,
      inject: [ENV],
      useFactory: directUrlOf,
    },
    {
      provide: MAIL_SETTINGS,
      inject: [ENV],
      useFactory: (env: Env): MailSettings => ({
        from: env.MAIL_FROM,
        smtpUrl: env.SMTP_URL,
        print: CONSOLE[env.NODE_ENV],
      }),
    },
  ],
  exports: [Jobs, Mailer],
})
export class MailModule {}
