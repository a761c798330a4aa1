import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { CompaniesModule } from '../companies/companies.module.js';
import { ContactCounts } from './contact-counts.js';
import { ContactsController } from './contacts.controller.js';
import { ContactsRepository } from './contacts.repository.js';
import { ContactsService } from './contacts.service.js';
import { RememberedTotals } from './remembered-totals.js';

@Module({
  imports: [AuthModule, CompaniesModule],
  controllers: [ContactsController],
  providers: [ContactsService, ContactsRepository, RememberedTotals, ContactCounts],
  exports: [ContactsService, ContactCounts],
})
export class ContactsModule {}
