// About 200 realistic contacts in 30 companies, the same on every machine.
import type { CreateCompanyDto } from '../companies/company.dto.js';
import type { CreateContactDto } from '../contacts/contact.dto.js';

export type SampleCompany = CreateCompanyDto & { contacts: CreateContactDto[] };

const COMPANIES = `Acme Corp|Manufacturing, Northwind Traders|Wholesale, Blue Harbor Logistics|Logistics,
Brightleaf Energy|Energy, Café Müller|Hospitality, Cedar & Stone|Construction, Clearwater Analytics|Software,
Copperfield Bank|Finance, Drift Robotics|Robotics, Eastgate Clinics|Healthcare, Fjord Seafood|Food,
Granite Insurance|Insurance, Helios Solar|Energy, Ironbridge Foundry|Manufacturing, Juniper Learning|Education,
Kestrel Aerospace|Aerospace, Lumen Studios|Media, Maple Street Dental|Healthcare, Nimbus Cloud|Software,
Oakline Furniture|Retail, Pioneer Seeds|Agriculture, Quartz Mining|Mining, Riverbend Hotels|Hospitality,
Silverline Rail|Transport, Tallgrass Foods|Food, Umbra Security|Software, Vantage Legal|Legal,
Willow Biotech|Biotech, Yarrow Textiles|Textiles, Zephyr Sailing|Leisure`;

const FIRST =
  `Jane John María Ahmed Yuki Chloé Łukasz Priya Søren Amara Diego Hannah Ivan Leila Marco Nadia Oliver
Petra Quentin Rosa Samuel Tamar Uma Viktor Wen Ximena Yusuf Zoë Björn Céline Daniel Elena`.split(/\s+/);
const LAST = `Smith García Nowak Tanaka Müller Okafor Haddad Rossi Dubois Andersen Kowalski Patel Novák Silva
Johansson Cohen Kim Murphy Fischer Lindqvist O'Brien Moreau Ivanova Costa Schneider Ali Jensen Sato Brown`.split(
  /\s+/,
);

const JOBS = [
  ['Chief Executive', 'Management'],
  ['Head of Sales', 'Sales'],
  ['Account Manager', 'Sales'],
  ['Software Engineer', 'Engineering'],
  ['Operations Lead', 'Operations'],
  ['Financial Controller', 'Finance'],
  ['Office Manager', 'Administration'],
] as const;
const TYPES = ['client', 'client', 'lead', 'end_user', 'candidate', 'investor'];
const SOURCES = ['manual', 'website', 'referral', 'import', 'conference'];
const PRODUCTS = ['crm', 'billing', null, 'support'] as const;
const TAGS = ['newsletter', 'vip,newsletter', null, 'beta', null] as const;

/** 30 companies with 200 contacts; the first contact of each may sign in to the portal as its admin. */
export function sampleCompanies(): SampleCompany[] {
  let person = 0;
  return COMPANIES.split(/,\s*/).map((entry, index) => {
    const [name = '', industry = ''] = entry.split('|');
    const domain = `${slug(name)}.example`;
    const size = index < 20 ? 7 : 6;
    const contacts = Array.from({ length: size }, (_, place) => sampleContact(person++, place, domain));
    return {
      name,
      domain,
      industry,
      employee_count: 20 + ((index * 137) % 900),
      company_type: pick(['client', 'prospect', 'partner'], index),
      product: pick(PRODUCTS, index),
      health_score: 35 + ((index * 17) % 61),
      monthly_revenue: index % 3 === 1 ? null : 900 + index * 415.5,
      contacts,
    };
  });
}

function sampleContact(person: number, place: number, domain: string): CreateContactDto {
  const first_name = pick(FIRST, person * 7);
  const last_name = pick(LAST, person * 11 + Math.floor(person / LAST.length));
  const [title, department] = pick(JOBS, place);
  return {
    first_name,
    last_name,
    email: `${slug(first_name)}.${slug(last_name)}@${domain}`,
    title,
    department,
    phone: `+1 555 0${100 + (person % 100)}`,
    contact_type: pick(TYPES, person),
    source: pick(SOURCES, person * 3),
    product: pick(PRODUCTS, person),
    tags: pick(TAGS, person),
    ...(place === 0 && { portal_access: 1, portal_role: 'client_admin' as const }),
    ...(place === 1 && { portal_access: 1 }),
  };
}

function pick<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

function slug(text: string): string {
  const plain = text.replace('ł', 'l').replace('Ł', 'L').replace('ø', 'o').normalize('NFKD');
  return plain.toLowerCase().replace(/[^a-z]/g, '');
}
