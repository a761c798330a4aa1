// Baseline: Nest on Express with TypeORM's module, started as tutorials start it.
import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DATABASE_URL, POOL, PORT } from '../common.ts';
import { ContactsController, ContactsService } from './contacts.ts';
import { Company, Contact } from './entities.ts';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: DATABASE_URL,
      entities: [Contact, Company],
      synchronize: false,
      extra: POOL,
    }),
    TypeOrmModule.forFeature([Contact, Company]),
  ],
  controllers: [ContactsController],
  providers: [ContactsService],
})
class AppModule {}

// Named, because without it Nest takes the other platform that is installed here.
const app = await NestFactory.create<NestExpressApplication>(AppModule, new ExpressAdapter());
app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
app.enableShutdownHooks();
await app.listen(PORT, '127.0.0.1');
