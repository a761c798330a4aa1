import { Module } from '@nestjs/common';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { JOBS_URL, Jobs } from './jobs.js';
import { MAIL_SETTINGS, type MailSettings, Mailer } from './mailer.js';

@Module({
  providers: [
    Jobs,
    Mailer,
    {
      provide: JOBS_URL,
      inject: [ENV],
      useFactory: (env: Env) => env.DATABASE_DIRECT_URL ?? env.DATABASE_URL,
    },
    {
      provide: MAIL_SETTINGS,
      inject: [ENV],
      useFactory: (env: Env): MailSettings => ({
        from: env.MAIL_FROM,
        smtpUrl: env.SMTP_URL,
        printInstead: env.NODE_ENV !== 'production',
      }),
    },
  ],
  exports: [Jobs, Mailer],
})
export class MailModule {}
