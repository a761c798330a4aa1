// Baseline: controller and service on a TypeORM repository, the way tutorials write them.
import {
  Body,
  Controller,
  Get,
  Injectable,
  NotFoundException,
  Param,
  Patch,
  Post,
  Query,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type FindOptionsWhere, ILike, Repository } from 'typeorm';
import { newId, productsOf } from '../common.ts';
import { CreateContactDto, ListContactsDto, UpdateContactDto } from './dtos.ts';
import { Contact } from './entities.ts';

@Injectable()
export class ContactsService {
  constructor(@InjectRepository(Contact) private readonly contacts: Repository<Contact>) {}

  async findAll({ page, limit, company_id, type, source, search }: ListContactsDto) {
    const filters: FindOptionsWhere<Contact> = {};
    if (company_id) filters.company_id = company_id;
    if (type) filters.contact_type = type;
    if (source) filters.source = source;
    const where = search
      ? [
          { ...filters, full_name: ILike(`%${search}%`) },
          { ...filters, email: ILike(`%${search}%`) },
        ]
      : filters;
    const [contacts, total] = await this.contacts.findAndCount({
      where,
      relations: { company: true },
      order: { created_at: 'DESC', id: 'DESC' },
      skip: (page - 1) * limit,
      take: limit,
    });
    const items = contacts.map((contact) => ({
      id: contact.id,
      email: contact.email,
      full_name: contact.full_name,
      company_id: contact.company_id,
      company_name: contact.company?.name ?? null,
      contact_type: contact.contact_type,
      portal_access: contact.portal_access,
      portal_role: contact.portal_role,
    }));
    return { ok: true, data: { items, total, page, limit, hasMore: page * limit < total } };
  }

  async findOne(id: string) {
    const contact = await this.contacts.findOne({ where: { id }, relations: { company: true } });
    if (!contact) throw new NotFoundException();
    const { company, ...fields } = contact;
    return {
      ok: true,
      data: { ...fields, company_name: company?.name ?? null, products: productsOf(contact) },
    };
  }

  async create(dto: CreateContactDto) {
    const contact = await this.contacts.save(this.contacts.create({ id: `ct_${newId()}`, ...dto }));
    const full_name = [contact.first_name, contact.last_name].filter(Boolean).join(' ') || null;
    return { ok: true, data: { id: contact.id, full_name, email: contact.email } };
  }

  async update(id: string, dto: UpdateContactDto) {
    const contact = await this.contacts.findOneBy({ id });
    if (!contact) throw new NotFoundException();
    Object.assign(contact, dto);
    await this.contacts.save(contact);
    return { ok: true, data: { id, updated: true } };
  }
}

@Controller('api/contacts')
export class ContactsController {
  constructor(private readonly service: ContactsService) {}

  @Get()
  findAll(@Query() query: ListContactsDto) {
    return this.service.findAll(query);
  }

  @Get(':id')
  findOne(@Param('id') id: string) {
    return this.service.findOne(id);
  }

  @Post()
  create(@Body() dto: CreateContactDto) {
    return this.service.create(dto);
  }

  @Patch(':id')
  update(@Param('id') id: string, @Body() dto: UpdateContactDto) {
    return this.service.update(id, dto);
  }
}
