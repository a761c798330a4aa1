import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ENV } from '../config/config.module.js';
import type { Env } from '../config/env.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { MailModule } from '../mail/mail.module.js';
import { AccessTokens } from './access-tokens.js';
import { GoogleAttempts } from './google-attempts.js';
import { GoogleIdentitiesRepository } from './google-identities.repository.js';
import { GoogleProvider, googleSettings } from './google-provider.js';
import { GoogleController } from './google.controller.js';
import { GoogleService } from './google.service.js';
import { JwksController } from './jwks.controller.js';
import { MagicLinkMail } from './magic-link-mail.js';
import { MagicLinkController } from './magic-link.controller.js';
import { MagicLinksRepository } from './magic-links.repository.js';
import { MagicLinksService } from './magic-links.service.js';
import { PortalSettings } from './portal-settings.js';
import { SessionCookies } from './session-cookies.js';
import { SessionController } from './session.controller.js';
import { SessionsRepository } from './sessions.repository.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysRepository } from './signing-keys.repository.js';
import { SigningKeysService } from './signing-keys.service.js';

@Module({
  imports: [AuthModule, ContactsModule, MailModule],
  controllers: [GoogleController, MagicLinkController, SessionController, JwksController],
  providers: [
    AccessTokens,
    GoogleAttempts,
    GoogleIdentitiesRepository,
    GoogleService,
    MagicLinkMail,
    MagicLinksRepository,
    MagicLinksService,
    SessionCookies,
    SessionsRepository,
    SessionsService,
    SigningKeysRepository,
    SigningKeysService,
    { provide: PortalSettings, inject: [ENV], useFactory: (env: Env) => new PortalSettings(env) },
    {
      provide: GoogleProvider,
      inject: [ENV],
      useFactory: (env: Env) => new GoogleProvider(googleSettings(env)),
    },
  ],
})
export class PortalModule {}
