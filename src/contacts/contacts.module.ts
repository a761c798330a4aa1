import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { poolOf } from '../common/impatient-pool.js';
import { CompaniesModule } from '../companies/companies.module.js';
import { ContactCounts } from './contact-counts.js';
import { ContactIndexes } from './contact-indexes.js';
import { ContactListsRepository } from './contact-lists.repository.js';
import { ContactsController } from './contacts.controller.js';
import { ContactsRepository } from './contacts.repository.js';
import { ContactsService } from './contacts.service.js';
import { RememberedTotals } from './remembered-totals.js';

@Module({
  imports: [AuthModule, CompaniesModule],
  controllers: [ContactsController],
  providers: [
    ContactsService,
    ContactsRepository,
    ContactListsRepository,
    ContactCounts,
    ContactIndexes,
    {
      provide: RememberedTotals,
      inject: [DataSource],
      useFactory: (source: DataSource) => {
        const totals = new RememberedTotals();
        poolOf(source).onLoss(() => totals.forget());
        return totals;
      },
    },
  ],
  exports: [ContactsService, ContactCounts],
})
export class ContactsModule {}
