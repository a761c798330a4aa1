import { Module } from '@nestjs/common';
import { ContactsModule } from '../contacts/contacts.module.js';
import { MailModule } from '../mail/mail.module.js';
import { MetricsServer } from './metrics-server.js';

@Module({ imports: [ContactsModule, MailModule], providers: [MetricsServer] })
export class MetricsModule {}
